/**
 * The bridge's end of `/footbridge/control/1.0.0`: tells a session what it may use, what holds it up, which circuit ends and why, that a newer connection with its
 * PeerID serves now, and that the bridge is about to restart. Wire: shared/wire/control-frame.ts.
 *
 * Notices never wait for a reader: a full stream loses `held`, which comes again, and a stream that owes more than MAX_OWED_BYTES is reset.
 * Not here: what is a limit and when a circuit ends (relay/), who is here (peers/registry.ts).
 */
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { CONTROL_PROTOCOL } from '@footbridge/shared/protocol-ids'
import {
  decodeControlFrame,
  type ControlFrame,
  type EndingReason,
  type LimitName,
  type LimitScope,
  type SessionLimits,
} from '@footbridge/shared/wire/control-frame'
import { readFrames, sendJsonFrame } from '../node/json-stream.ts'
import { resetAfter } from '../node/stream-deadline.ts'
import type { Registry, SessionChange } from '../peers/registry.ts'
import { reconnectInMs } from './reconnect.ts'

/** The first hello must come within this time. */
const HELLO_MS = 10_000
/** One per tab; a client that leaks them gets no more. */
const MAX_STREAMS_PER_CONNECTION = 2
/** A client says hello once; what comes after that is nothing that this version knows. */
const MAX_FRAMES = 64
/** At most one `held` of each limit in this time. */
const HELD_EVERY_MS = 1_000
/** Notices are about 100 bytes: a reader that owes so many is not there. */
const MAX_OWED_BYTES = 64 * 1024

export interface Control {
  start(): Promise<void>
  /** Idempotent. Resets every stream. */
  stop(): Promise<void>
  held(peer: string, notice: { readonly limit: LimitName; readonly scope: LimitScope; readonly until: number | null }): void
  ending(peer: string, notice: { readonly other: string; readonly reason: EndingReason; readonly at: number }): void
  /** Tells the token's sessions what they may use now. */
  limitsChanged(tokenId: string): void
  /** Tells everybody to come back, each at a time of its own. @param afterMs when the bridge stops. */
  draining(notice: { readonly afterMs: number; readonly awayMs: number }): void
}

export interface ControlDependencies {
  readonly node: Pick<Libp2p, 'handle' | 'unhandle'>
  readonly registry: Pick<Registry, 'get' | 'subscribe'>
  /** What the session may use and has used; undefined when it has ended. */
  readonly limitsOf: (peer: string) => SessionLimits | undefined
  readonly clock: () => number
  /** From 0 to below 1. */
  readonly random: () => number
}

interface Subscriber {
  readonly peer: string
  readonly connection: Connection
  readonly stream: Stream
  readonly heldAt: Map<LimitName, number>
  /** Was told that a newer connection serves. */
  replaced: boolean
}

export function createControl({ node, registry, limitsOf, clock, random }: ControlDependencies): Control {
  /** By PeerID, in the order of their hellos. */
  const subscribers = new Map<string, Set<Subscriber>>()
  let unsubscribe: (() => void) | undefined

  const send = ({ stream }: Subscriber, frame: ControlFrame): void => {
    if (stream.status !== 'open') return
    try {
      sendJsonFrame(stream, frame)
      if (stream.writeBufferLength > MAX_OWED_BYTES) throw new Error('the reader stalled')
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error('could not send'))
    }
  }

  const tell = (peer: string, frame: ControlFrame): void => {
    for (const subscriber of subscribers.get(peer) ?? []) send(subscriber, frame)
  }

  /** The newest connection serves; each older one is told so once, and anew if it has served in between. */
  const tellReplaced = (peer: string): void => {
    const own = [...(subscribers.get(peer) ?? [])]
    const newest = own.reduce<Connection | undefined>(
      (best, { connection }) => (best === undefined || connection.timeline.open >= best.timeline.open ? connection : best),
      undefined,
    )
    for (const subscriber of own) {
      const isReplaced = subscriber.connection !== newest
      if (isReplaced && !subscriber.replaced) send(subscriber, { type: 'replaced' })
      subscriber.replaced = isReplaced
    }
  }

  const subscribe = (peer: string, stream: Stream, connection: Connection): void => {
    const limits = limitsOf(peer)
    if (limits === undefined) throw new Error('the session has ended')
    const subscriber: Subscriber = { peer, connection, stream, heldAt: new Map(), replaced: false }
    const own = subscribers.get(peer) ?? new Set()
    subscribers.set(peer, own.add(subscriber))
    stream.addEventListener('close', () => {
      own.delete(subscriber)
      if (own.size > 0) tellReplaced(peer)
      else if (subscribers.get(peer) === own) subscribers.delete(peer)
    })
    send(subscriber, { type: 'welcome', now: clock(), limits })
    tellReplaced(peer)
  }

  const serve = (stream: Stream, connection: Connection): void => {
    let saidHello: (() => void) | undefined = resetAfter(stream, HELLO_MS, 'no hello came')
    let count = 0
    readFrames(stream, (bytes) => {
      if (++count > MAX_FRAMES) throw new Error('too many frames')
      const frame = decodeControlFrame(bytes)
      if (frame?.type !== 'hello' || saidHello === undefined) return
      saidHello()
      saidHello = undefined
      subscribe(connection.remotePeer.toString(), stream, connection)
    })
  }

  const onStream = (stream: Stream, connection: Connection): void => {
    if (registry.get(connection.remotePeer.toString()) === undefined) {
      stream.abort(new Error('control needs a session'))
      return
    }
    serve(stream, connection)
  }

  const onChange = ({ peer, after }: SessionChange): void => {
    if (after.state === 'ended') for (const { stream } of subscribers.get(peer) ?? []) stream.abort(new Error('the session has ended'))
  }

  return {
    async start() {
      unsubscribe ??= registry.subscribe(onChange)
      await node.handle(CONTROL_PROTOCOL, onStream, { maxInboundStreams: MAX_STREAMS_PER_CONNECTION })
    },
    async stop() {
      unsubscribe?.()
      unsubscribe = undefined
      await node.unhandle(CONTROL_PROTOCOL)
      for (const own of subscribers.values()) for (const { stream } of own) stream.abort(new Error('the bridge is stopping'))
    },
    held(peer, { limit, scope, until }) {
      const now = clock()
      for (const subscriber of subscribers.get(peer) ?? []) {
        const before = subscriber.heldAt.get(limit)
        // A clock set back must not silence it for long.
        if (subscriber.stream.writableNeedsDrain || (before !== undefined && now >= before && now - before < HELD_EVERY_MS)) continue
        subscriber.heldAt.set(limit, now)
        send(subscriber, { type: 'held', limit, scope, until })
      }
    },
    ending(peer, { other, reason, at }) {
      tell(peer, { type: 'ending', peer: other, reason, at })
    },
    limitsChanged(tokenId) {
      for (const [peer, own] of subscribers) {
        if (registry.get(peer)?.grant.tokenId !== tokenId) continue
        const limits = limitsOf(peer)
        if (limits !== undefined) for (const subscriber of own) send(subscriber, { type: 'limits', limits })
      }
    },
    draining({ afterMs, awayMs }) {
      const sessions = subscribers.size
      for (const peer of subscribers.keys())
        tell(peer, { type: 'draining', reconnectInMs: reconnectInMs({ afterMs, sessions, random: random() }), awayMs })
    },
  }
}
