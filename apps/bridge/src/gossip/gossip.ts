/**
 * The bridge as a mesh peer: it subscribes to exactly the topics that its sessions use, so that what browsers and native peers say reaches each other
 * (a relay forwards nothing that it is not subscribed to, and a circuit carries no gossip). What a token's peers hand in is counted and limited together, and a message is paid for
 * as relayed bytes are: by who hands it in, and by every session that uses its topic.
 * Not here: which topics those are (topic-book.ts), how much is too much (rates.ts), what a day and a rate are (relay/beside.ts), gossipsub's own settings, and how somebody who may
 * not have more gets none (node/gossip.ts).
 */
import { TopicValidatorResult, type GossipSub, type Message, type SubscriptionChangeData } from '@libp2p/gossipsub'
import type { Libp2p, PeerId } from '@libp2p/interface'
import type { Registry } from '../peers/registry.ts'
import { MAX_GOSSIP_BYTES } from './limits.ts'
import { createRates, type GossipUse, type Payer } from './rates.ts'
import { createTopicBook } from './topic-book.ts'

export interface Gossip {
  /** Once the node runs. Idempotent, as is stop. */
  start(): void
  stop(): void
  /** Topics that are carried now. */
  topics(): readonly string[]
  /** What this token's peers have handed in. */
  usedBy(tokenId: string): GossipUse
  total(): GossipUse
}

export interface GossipDependencies {
  readonly pubsub: Pick<GossipSub, 'subscribe' | 'unsubscribe' | 'topicValidators' | 'addEventListener' | 'removeEventListener'>
  readonly node: Pick<Libp2p, 'addEventListener' | 'removeEventListener'>
  readonly registry: Pick<Registry, 'get' | 'list' | 'subscribe'>
  /** @returns whether these bytes of that peer may pass; who may not is told. */
  readonly charge: (peer: string, bytes: number) => boolean
  /** Carried whoever is here. */
  readonly configured: readonly string[]
  readonly clock: () => number
}

export function createGossip({ pubsub, node, registry, charge, configured, clock }: GossipDependencies): Gossip {
  const book = createTopicBook(configured)
  const rates = createRates(clock)
  const carried = new Set<string>()
  let end: (() => void) | undefined

  const payerOf = (peer: PeerId): Payer => {
    const id = peer.toString()
    const session = registry.get(id)
    return session === undefined || session.state === 'ended' ? { kind: 'peer', id } : { kind: 'token', id: session.grant.tokenId }
  }

  /** Dropped when it is too much; refused, which costs its sender's standing, when nobody could have sent it. */
  const validate = (from: PeerId, { topic, data: { length } }: Message): TopicValidatorResult => {
    if (length > MAX_GOSSIP_BYTES) return TopicValidatorResult.Reject
    const sender = from.toString()
    if (!rates.take(payerOf(from), length, () => charge(sender, length))) return TopicValidatorResult.Ignore
    // Who cannot pay has it all the same: gossipsub stops giving them more within two seconds, and would be no cheaper for one message.
    for (const user of book.users(topic)) if (user !== sender) charge(user, length)
    return TopicValidatorResult.Accept
  }

  const follow = (): void => {
    const wanted = book.topics()
    for (const topic of carried) {
      if (wanted.has(topic)) continue
      carried.delete(topic)
      pubsub.unsubscribe(topic)
      pubsub.topicValidators.delete(topic)
    }
    for (const topic of wanted) {
      if (carried.has(topic)) continue
      carried.add(topic)
      pubsub.topicValidators.set(topic, validate)
      pubsub.subscribe(topic)
    }
  }

  const onSubscriptions = ({ detail: { peerId, subscriptions } }: CustomEvent<SubscriptionChangeData>): void => {
    book.heard(peerId.toString(), subscriptions)
    follow()
  }

  const onDisconnect = ({ detail }: CustomEvent<PeerId>): void => {
    book.left(detail.toString())
    follow()
  }

  return {
    start() {
      if (end) return
      pubsub.addEventListener('subscription-change', onSubscriptions)
      node.addEventListener('peer:disconnect', onDisconnect)
      const unsubscribe = registry.subscribe(({ peer, after }) => {
        book.session(peer, after.state !== 'ended')
        follow()
      })
      for (const { grant } of registry.list()) book.session(grant.peer, true)
      follow()
      end = () => {
        unsubscribe()
        pubsub.removeEventListener('subscription-change', onSubscriptions)
        node.removeEventListener('peer:disconnect', onDisconnect)
        for (const topic of carried) {
          pubsub.unsubscribe(topic)
          pubsub.topicValidators.delete(topic)
        }
        carried.clear()
      }
    },
    stop() {
      end?.()
      end = undefined
    },
    topics: () => [...carried],
    usedBy: (tokenId) => rates.use({ kind: 'token', id: tokenId }),
    total: () => rates.total(),
  }
}
