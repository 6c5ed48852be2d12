/**
 * The bridge's side of `/footbridge/presence/1.0.0`: after a hello a browser gets the whole list, then every change. Wire: shared/wire/presence-frame.ts.
 *
 * Each stream has one set of peers it has yet to be told about. A frame is made from the registry's present state when the stream can take it, so a slow
 * reader gets the latest state and never a backlog; past a bound its set is thrown away and the whole list begins anew. Changes go out together, the more
 * rarely the more readers there are. They are encoded once for all readers that owe nothing else, which is nearly everybody nearly always.
 * Not here: the list over HTTP (routes.ts), who is here (peers/registry.ts).
 */
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { MAX_PRESENCE_ROWS_PER_FRAME } from '@footbridge/shared/limits'
import { PRESENCE_PROTOCOL } from '@footbridge/shared/protocol-ids'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'
import { utf8Encode } from '@footbridge/shared/text-codec'
import { decodePresenceFrame, type PresenceFrame, type PresenceRow } from '@footbridge/shared/wire/presence-frame'
import { prefixed, readFrames } from '../node/json-stream.ts'
import { resetAfter } from '../node/stream-deadline.ts'
import type { Registry, SessionChange } from '../peers/registry.ts'
import type { Session } from '../peers/session.ts'

/** Long enough that a reconnecting crowd makes few frames. */
const MIN_BATCH_MS = 50
/** Well below the second within which a peer must show. */
const MAX_BATCH_MS = 500
/** A frame costs every reader's encryption, about 50 µs: at most half a core goes into telling of changes. */
const BATCH_MS_PER_READER = 0.1
/** Readers served in one turn of the event loop: about 10 ms, so that circuits do not wait for a crowd. */
const READERS_PER_TURN = 200
/** A stream owes a reader at most this many peers one by one; past that the whole list is shorter. */
const MAX_OWED = 2_000
/** The first hello must come within this time. */
const HELLO_MS = 10_000
/** A reader that took nothing for this long is not there. */
const STALLED_MS = 30_000
/** Profile changes of one stream: a person typing a name, not a program. */
const MAX_HELLOS_PER_MINUTE = 60
/** One per tab; the newest is kept when a client leaks them. */
const MAX_STREAMS_PER_CONNECTION = 4

export interface Presence {
  start(): Promise<void>
  /** Idempotent. Resets every stream. */
  stop(): Promise<void>
}

export interface PresenceDependencies {
  readonly node: Pick<Libp2p, 'handle' | 'unhandle'>
  readonly registry: Registry
  readonly clock: () => number
}

interface Subscriber {
  readonly peer: string
  readonly stream: Stream
  /** Peers whose state the reader has yet to be told. */
  owed: Set<string>
  /** The next frame begins a new list. */
  reset: boolean
  /** When the stream became full; undefined while it takes frames. */
  fullSince: number | undefined
}

export function createPresence({ node, registry, clock }: PresenceDependencies): Presence {
  const subscribers = new Set<Subscriber>()
  let unsubscribe: (() => void) | undefined
  let timer: NodeJS.Timeout | undefined
  let changed = new Set<string>()
  /** A session's row as JSON, made once for each of its states: a list of thousands is put together from these for every newcomer. */
  const encodedRows = new WeakMap<Session, string>()

  const encodeRow = (session: Session | undefined): string | undefined => {
    const row = presenceRow(session)
    if (session === undefined || row === undefined) return undefined
    const text = encodedRows.get(session) ?? JSON.stringify(row)
    encodedRows.set(session, text)
    return text
  }

  const beginList = (subscriber: Subscriber): void => {
    subscriber.owed = new Set(registry.list().flatMap((session) => (isListed(session) ? [session.grant.peer] : [])))
    subscriber.owed.delete(subscriber.peer)
    subscriber.reset = true
  }

  const owe = (subscriber: Subscriber, peers: Iterable<string>): void => {
    for (const peer of peers) if (peer !== subscriber.peer) subscriber.owed.add(peer)
    // A list just begun may owe everybody; only changes on top of it count.
    if (!subscriber.reset && subscriber.owed.size > MAX_OWED) beginList(subscriber)
  }

  const flush = (subscriber: Subscriber): void => {
    while (subscriber.fullSince === undefined && (subscriber.owed.size > 0 || subscriber.reset)) {
      const peers = [...subscriber.owed.values().take(MAX_PRESENCE_ROWS_PER_FRAME)]
      for (const peer of peers) subscriber.owed.delete(peer)
      const { reset } = subscriber
      subscriber.reset = false
      send(subscriber, encodeState(peers, reset))
    }
  }

  const send = (subscriber: Subscriber, frames: Uint8Array): void => {
    if (frames.length > 0 && !subscriber.stream.send(frames)) subscriber.fullSince = clock()
  }

  /** The present state of up to a frame's worth of peers; in a list that begins nobody is gone. */
  const encodeState = (peers: readonly string[], reset: boolean): Uint8Array => {
    const rows: string[] = []
    const gone: string[] = []
    for (const peer of peers) {
      const row = encodeRow(registry.get(peer))
      if (row === undefined) gone.push(peer)
      else rows.push(row)
    }
    const frames: Uint8Array[] = []
    if (rows.length > 0 || reset)
      frames.push(prefixed(utf8Encode(`{"type":"peers","rows":[${rows.join(',')}]${reset ? ',"reset":true' : ''}}`)))
    if (gone.length > 0 && !reset) frames.push(prefixed(encodeJsonFrame({ type: 'gone', peers: gone } satisfies PresenceFrame)))
    return frames.length === 1 && frames[0] !== undefined ? frames[0] : Buffer.concat(frames)
  }

  const flushSafely = (subscriber: Subscriber): void => {
    try {
      if (subscriber.fullSince !== undefined && clock() - subscriber.fullSince > STALLED_MS) throw new Error('the reader stalled')
      flush(subscriber)
    } catch (error) {
      subscriber.stream.abort(error instanceof Error ? error : new Error('could not send'))
    }
  }

  const sendSafely = (subscriber: Subscriber, frames: Uint8Array): void => {
    try {
      send(subscriber, frames)
    } catch (error) {
      subscriber.stream.abort(error instanceof Error ? error : new Error('could not send'))
    }
  }

  /** Tells every reader what changed; ends before the next round begins, so that nobody hears an older state after a newer one. */
  const flushAll = async (): Promise<void> => {
    const peers = [...changed]
    changed = new Set()
    const parts: { readonly peers: readonly string[]; readonly frames: Uint8Array }[] = []
    for (let index = 0; index < peers.length; index += MAX_PRESENCE_ROWS_PER_FRAME) {
      const part = peers.slice(index, index + MAX_PRESENCE_ROWS_PER_FRAME)
      parts.push({ peers: part, frames: encodeState(part, false) })
    }
    // Who subscribes meanwhile has a newer list already.
    const readers = [...subscribers]
    let served = 0
    for (const subscriber of readers) {
      for (const part of parts) {
        const isOwedNothing = subscriber.fullSince === undefined && subscriber.owed.size === 0 && !subscriber.reset
        // A list is without its reader, so what says anything of them is not for everybody.
        if (isOwedNothing && !part.peers.includes(subscriber.peer)) sendSafely(subscriber, part.frames)
        else owe(subscriber, part.peers)
      }
      flushSafely(subscriber)
      if (++served % READERS_PER_TURN === 0) await nextTurn()
    }
  }

  const schedule = (): void => {
    const batchMs = Math.min(MAX_BATCH_MS, Math.max(MIN_BATCH_MS, subscribers.size * BATCH_MS_PER_READER))
    timer ??= setTimeout(() => {
      void flushAll().then(() => {
        timer = undefined
        if (unsubscribe !== undefined && changed.size > 0) schedule()
      })
    }, batchMs)
  }

  const onChange = ({ peer, before, after }: SessionChange): void => {
    if (after.state === 'ended')
      for (const each of subscribers) if (each.peer === peer) each.stream.abort(new Error('the session has ended'))
    // Who hides is not even told of as gone: that would name them.
    if (!isListed(before) && !isListed(after)) return
    changed.add(peer)
    schedule()
  }

  const subscribe = (peer: string, stream: Stream): void => {
    const subscriber: Subscriber = { peer, stream, owed: new Set(), reset: true, fullSince: undefined }
    beginList(subscriber)
    subscribers.add(subscriber)
    stream.addEventListener('close', () => {
      subscribers.delete(subscriber)
    })
    stream.addEventListener('drain', () => {
      // libp2p sends what it kept in a microtask queued before this one.
      queueMicrotask(() => {
        if (stream.writableNeedsDrain || stream.status !== 'open') return
        subscriber.fullSince = undefined
        flushSafely(subscriber)
      })
    })
    flushSafely(subscriber)
  }

  const serve = (peer: string, stream: Stream): void => {
    let saidHello: (() => void) | undefined = resetAfter(stream, HELLO_MS, 'no hello came')
    let hellos = 0
    let minute = clock()
    readFrames(stream, (bytes) => {
      const frame = decodePresenceFrame(bytes)
      if (frame?.type !== 'hello') return
      if (clock() - minute >= 60_000) [minute, hellos] = [clock(), 0]
      if (++hellos > MAX_HELLOS_PER_MINUTE) throw new Error('too many hellos')
      registry.profile(peer, { name: frame.name.trim(), device: frame.device })
      if (saidHello === undefined) return
      saidHello()
      saidHello = undefined
      subscribe(peer, stream)
    })
  }

  const onStream = (stream: Stream, connection: Connection): void => {
    const peer = connection.remotePeer.toString()
    if (registry.get(peer) === undefined) stream.abort(new Error('presence needs a session'))
    else serve(peer, stream)
  }

  return {
    async start() {
      unsubscribe ??= registry.subscribe(onChange)
      await node.handle(PRESENCE_PROTOCOL, onStream, { maxInboundStreams: MAX_STREAMS_PER_CONNECTION })
    },
    async stop() {
      unsubscribe?.()
      unsubscribe = undefined
      clearTimeout(timer)
      timer = undefined
      await node.unhandle(PRESENCE_PROTOCOL)
      for (const { stream } of subscribers) stream.abort(new Error('the bridge is stopping'))
    },
  }
}

/** How a session shows to others; undefined unless it is reachable and wants to be seen. */
export function presenceRow(session: Session | undefined): PresenceRow | undefined {
  if (!isListed(session)) return undefined
  const { grant, name, device, since } = session
  return { peer: grant.peer, name, device, since }
}

function isListed(session: Session | undefined): session is Extract<Session, { state: 'reachable' }> {
  return session?.state === 'reachable' && session.visibility !== 'nobody'
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
