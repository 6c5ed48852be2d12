/**
 * Topics of a program: gossipsub is loaded and made with the first one that is used, and told of as events.
 * Not here: gossipsub's settings and repairs (node/gossip.ts), the queue of events (events.ts).
 */
import type { GossipSubComponents, GossipsubMessage, SubscriptionChangeData } from '@libp2p/gossipsub'
import { FootbridgeError } from '@footbridge/shared/errors'
import { utf8Encode } from '@footbridge/shared/text-codec'
import { loadChunk } from '../chunk.ts'
import type { Gossip } from '../node/gossip.ts'
import type { NetworkClient, ProgramEvent } from './api.ts'
import { MAX_PUBLISHED_BYTES, MAX_TOPIC_BYTES, MAX_TOPICS } from './limits.ts'

export interface TopicsParts {
  readonly components: GossipSubComponents
  readonly tell: (event: ProgramEvent) => void
}

export interface Topics extends Pick<
  NetworkClient,
  'subscribe' | 'unsubscribe' | 'publish' | 'meshPeerCount' | 'meshPeers' | 'subscribedPeers' | 'meshStats'
> {
  /** Idempotent. */
  stop(): Promise<void>
}

export function createTopics({ components, tell }: TopicsParts): Topics {
  let loading: Promise<Gossip> | undefined
  let gossip: Gossip | undefined
  let stopped: Promise<void> | undefined

  const onMessage = ({ detail: { msg, msgId } }: CustomEvent<GossipsubMessage>): void => {
    // Signed ones alone come through; the type does not know.
    if (msg.type !== 'signed') return
    const { topic, from, sequenceNumber, data } = msg
    // A copy: gossipsub gives a view onto the whole frame, which a queue would keep.
    tell({ type: 'message', id: msgId, message: { topic, from: from.toString(), sequenceNumber, data: new Uint8Array(data) } })
  }

  const onSubscriptions = ({ detail: { peerId, subscriptions } }: CustomEvent<SubscriptionChangeData>): void => {
    const peer = peerId.toString()
    for (const { topic, subscribe } of subscriptions) tell({ type: subscribe ? 'subscribed' : 'unsubscribed', peer, topic })
  }

  const make = async (): Promise<Gossip> => {
    const { createGossip } = await loadChunk(() => import('../node/gossip.ts'))
    const made = createGossip(components)
    made.pubsub.addEventListener('gossipsub:message', onMessage)
    made.pubsub.addEventListener('subscription-change', onSubscriptions)
    await made.start()
    gossip = made
    return made
  }

  const load = (): Promise<Gossip> => {
    if (stopped !== undefined) throw new FootbridgeError('aborted', 'the client is closed')
    if (loading === undefined) {
      loading = make()
      // What did not load is asked for again with the next use.
      loading.catch(() => (loading = undefined))
    }
    return loading
  }

  const stop = async (): Promise<void> => {
    const made = await loading?.catch(() => undefined)
    made?.pubsub.removeEventListener('gossipsub:message', onMessage)
    made?.pubsub.removeEventListener('subscription-change', onSubscriptions)
    await made?.stop()
    gossip = undefined
  }

  const meshPeers = (topic: string): readonly string[] => gossip?.meshPeers(topic) ?? []

  return {
    async subscribe(topic) {
      checkTopic(topic)
      const { pubsub } = await load()
      const present = pubsub.getTopics()
      if (present.includes(topic)) return topic
      if (present.length >= MAX_TOPICS) throw new FootbridgeError('bad_request', `at most ${MAX_TOPICS} topics at a time`)
      pubsub.subscribe(topic)
      return topic
    },
    async unsubscribe(topic) {
      checkTopic(topic)
      const made = await loading
      if (made?.pubsub.getTopics().includes(topic) === true) made.pubsub.unsubscribe(topic)
      return topic
    },
    async publish(topic, bytes) {
      checkTopic(topic)
      if (bytes.length > MAX_PUBLISHED_BYTES) throw new FootbridgeError('too_large', `a message has at most ${MAX_PUBLISHED_BYTES} bytes`)
      const made = await load()
      // Before and after: gossipsub would remember what went to nobody, and offer it to whoever comes within seconds.
      const isHeard = made.pubsub.getSubscribers(topic).length > 0
      const sent = isHeard ? await made.publish(topic, bytes) : undefined
      if (sent === undefined || sent.recipients === 0)
        throw new FootbridgeError('no_subscribers', `nobody who is connected is subscribed to ${topic}`)
      return sent.id
    },
    meshPeerCount: (topic) => meshPeers(topic).length,
    meshPeers,
    subscribedPeers: (topic) => gossip?.pubsub.getSubscribers(topic).map(String) ?? [],
    meshStats: () => gossip?.pubsub.getTopics().map((topic) => ({ topic, count: meshPeers(topic).length })) ?? [],
    stop: () => (stopped ??= stop()),
  }
}

function checkTopic(topic: string): void {
  const { length } = utf8Encode(topic)
  if (length === 0 || length > MAX_TOPIC_BYTES)
    throw new FootbridgeError('bad_request', `a topic has 1 to ${MAX_TOPIC_BYTES} bytes, not ${length}`)
}
