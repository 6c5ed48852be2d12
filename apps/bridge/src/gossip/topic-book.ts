/**
 * Which topics the bridge carries: exactly those that peers with a session subscribe to, and those that the operator named. Pure: facts come in, the
 * answer is `topics()`. Peers without a session are remembered too, because a device connects before, or while, it logs in.
 */
import { MAX_GOSSIP_PEERS, MAX_TOPIC_BYTES, MAX_TOPICS, MAX_TOPICS_PER_SESSION } from './limits.ts'

export interface TopicChange {
  readonly topic: string
  readonly subscribe: boolean
}

export interface TopicBook {
  heard(peer: string, changes: readonly TopicChange[]): void
  /** Has disconnected. */
  left(peer: string): void
  /** Has a session from now on, or not any more. */
  session(peer: string, has: boolean): void
  /** In the order in which they were first wanted; the operator's first. At most MAX_TOPICS. */
  topics(): ReadonlySet<string>
  /** Peers with a session that use the topic. */
  users(topic: string): Iterable<string>
}

export function createTopicBook(configured: readonly string[] = []): TopicBook {
  const subscriptions = new Map<string, Set<string>>()
  const sessions = new Set<string>()
  /** Topic to the peers with a session that use it. */
  const users = new Map<string, Set<string>>()

  const use = (peer: string, topic: string): void => {
    const present = users.get(topic)
    if (present) present.add(peer)
    else users.set(topic, new Set([peer]))
  }
  const leave = (peer: string, topic: string): void => {
    const present = users.get(topic)
    if (present?.delete(peer) === true && present.size === 0) users.delete(topic)
  }

  return {
    heard(peer, changes) {
      const known = subscriptions.get(peer) ?? new Set<string>()
      for (const { topic, subscribe } of changes) {
        if (!subscribe) {
          known.delete(topic)
          leave(peer, topic)
        } else if (known.size < MAX_TOPICS_PER_SESSION && topic !== '' && Buffer.byteLength(topic) <= MAX_TOPIC_BYTES) {
          known.add(topic)
          if (sessions.has(peer)) use(peer, topic)
        }
      }
      if (known.size === 0) subscriptions.delete(peer)
      else if (subscriptions.has(peer) || subscriptions.size < MAX_GOSSIP_PEERS) subscriptions.set(peer, known)
      // Above the cap nothing of this peer is remembered, so nothing is carried for it either.
      else for (const topic of known) leave(peer, topic)
    },
    left(peer) {
      for (const topic of subscriptions.get(peer) ?? []) leave(peer, topic)
      subscriptions.delete(peer)
    },
    session(peer, has) {
      if (has === sessions.has(peer)) return
      if (has) sessions.add(peer)
      else sessions.delete(peer)
      for (const topic of subscriptions.get(peer) ?? []) (has ? use : leave)(peer, topic)
    },
    topics() {
      const wanted = new Set(configured)
      for (const topic of users.keys()) {
        if (wanted.size >= MAX_TOPICS) break
        wanted.add(topic)
      }
      return wanted
    },
    users: (topic) => users.get(topic) ?? [],
  }
}
