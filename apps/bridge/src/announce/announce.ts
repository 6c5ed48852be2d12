/**
 * The bridge's end of `/footbridge/announce/1.0.0`: takes the choice of each session and, from those that want to be found by the network, the records that
 * they signed; tells the places of them while the session is reachable, and of nobody once it is not. Wire: shared/wire/announce-frame.ts.
 *
 * It only carries. It has no key but its own, so what it tells is what the device signed; it tells nothing that it could not check.
 * Not here: how a choice changes what is carried (announcement.ts), the places (one file each), who is listed to this bridge's sessions (presence/).
 */
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { ANNOUNCE_PROTOCOL } from '@footbridge/shared/protocol-ids'
import {
  decodeAnnounceFrame,
  type AnnounceFrame,
  type AnnouncePlace,
  type RecordRefusal,
  type Visibility,
} from '@footbridge/shared/wire/announce-frame'
import {
  ANNOUNCE_RETRY_MS,
  MAX_ANNOUNCE_FRAMES_PER_MINUTE,
  MAX_ANNOUNCED_PEERS,
  MAX_ANNOUNCED_PEERS_PER_TOKEN,
  OWN_ADDRESSES_CHECK_MS,
} from '../limits.ts'
import { readFrames, sendJsonFrame } from '../node/json-stream.ts'
import { resetAfter } from '../node/stream-deadline.ts'
import type { Registry, SessionChange } from '../peers/registry.ts'
import type { Session } from '../peers/session.ts'
import { decide, QUIET, type Announcement, type AnnouncementEvent } from './announcement.ts'
import { createCarriedCount } from './carried-count.ts'
import { openEnvelopes } from './open-envelopes.ts'
import type { Place } from './place.ts'
import { createPlacement } from './placement.ts'

/** The first choice must come within this time. */
const FIRST_FRAME_MS = 10_000
/** One per tab; a client that leaks them gets no more. */
const MAX_STREAMS_PER_CONNECTION = 2
/** Frames are 2 KB at most: a reader that owes so many is not there. */
const MAX_OWED_BYTES = 64 * 1024

export interface Announce {
  start(): Promise<void>
  /** Idempotent. Everybody is taken out of every place before it resolves. */
  stop(): Promise<void>
  /** Our own addresses may have changed. */
  ownAddressesChanged(): void
  /** Virtual peers that are told of now, for the metrics. */
  announced(): number
}

export interface AnnounceDependencies {
  readonly node: Pick<Libp2p, 'handle' | 'unhandle'>
  readonly registry: Pick<Registry, 'get' | 'subscribe' | 'visibility'>
  readonly places: readonly Place[]
  /** Topics on which devices tell of themselves; none when the bridge joins no such topic. */
  readonly topics: () => readonly string[]
  /** Addresses of circuits through this bridge, best first, each ending in `/p2p-circuit`. */
  readonly ownCircuits: () => readonly string[]
  readonly clock: () => number
  readonly onError: (error: unknown, place: Place['name']) => void
  readonly maxPeers?: number
  readonly maxPeersPerToken?: number
}

export function createAnnounce(dependencies: AnnounceDependencies): Announce {
  const { node, registry, places, topics, ownCircuits, clock, onError } = dependencies
  const { maxPeers = MAX_ANNOUNCED_PEERS, maxPeersPerToken = MAX_ANNOUNCED_PEERS_PER_TOKEN } = dependencies
  const announcements = new Map<string, Announcement>()
  /** By PeerID, the newest last. */
  const streams = new Map<string, Set<Stream>>()
  const placement = createPlacement(places, { onChange: (peer) => tellPlaces(peer), onError })
  const carried = createCarriedCount({ maxPeers, maxPeersPerToken })
  let unsubscribe: (() => void) | undefined
  let timers: NodeJS.Timeout[] = []

  const send = (stream: Stream | undefined, frame: AnnounceFrame): void => {
    if (stream?.status !== 'open') return
    try {
      sendJsonFrame(stream, frame)
      if (stream.writeBufferLength > MAX_OWED_BYTES) throw new Error('the reader stalled')
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error('could not send'))
    }
  }

  const tellPlaces = (peer: string): void => {
    const session = registry.get(peer)
    if (session === undefined || session.state === 'ended') return
    for (const stream of streams.get(peer) ?? []) send(stream, { type: 'places', places: describePlaces(session) })
  }

  const describePlaces = (session: Exclude<Session, { state: 'ended' }>): AnnouncePlace[] => {
    const { visibility, state, grant } = session
    const isForNetwork = visibility === 'network'
    const row = (place: Place): AnnouncePlace => ({
      place: place.name,
      state: isForNetwork && place.names().length > 0 ? placement.state(grant.peer, place) : 'off',
      names: [...place.names()],
    })
    return [
      { place: 'presence', state: visibility === 'nobody' ? 'off' : state === 'reachable' ? 'announced' : 'ready', names: [] },
      ...places.map(row),
      { place: 'pubsub', state: isForNetwork && topics().length > 0 ? 'ready' : 'off', names: [...topics()] },
    ]
  }

  /** The one place where a fact has consequences. */
  const apply = (peer: string, event: AnnouncementEvent): RecordRefusal | undefined => {
    const { next, ask, refused } = decide(announcements.get(peer) ?? QUIET, event, clock())
    if (refused !== undefined) return refused
    announcements.set(peer, next)
    if (ask) send([...(streams.get(peer) ?? [])].at(-1), { type: 'wanted', addresses: [...next.asked], after: next.seq })
    settle(peer)
    return undefined
  }

  const settle = (peer: string): void => {
    const announcement = announcements.get(peer)
    const session = registry.get(peer)
    const record = announcement?.state === 'carried' ? announcement.carried : undefined
    carried.set(peer, record && session?.grant.tokenId)
    // A login may have changed the choice behind the stream's back.
    const isWanted = session?.state === 'reachable' && session.visibility === 'network'
    placement.set(peer, isWanted ? record : undefined)
  }

  const visible = (peer: string, visibility: Visibility): void => {
    registry.visibility(peer, visibility)
    apply(peer, { type: 'visible', visibility, own: ownCircuits() })
    tellPlaces(peer)
  }

  const take = async (peer: string, frame: Extract<AnnounceFrame, { type: 'record' }>): Promise<RecordRefusal | undefined> => {
    const opened = await openEnvelopes(peer, frame)
    if (typeof opened === 'string') return opened
    // Checking a signature took a moment: the session may have ended.
    const tokenId = registry.get(peer)?.grant.tokenId
    if (tokenId === undefined) return 'unasked'
    return carried.hasRoom(peer, tokenId) ? apply(peer, { type: 'record', carried: opened }) : 'full'
  }

  const serve = (peer: string, stream: Stream): void => {
    let saidFirst: (() => void) | undefined = resetAfter(stream, FIRST_FRAME_MS, 'no choice came')
    let count = 0
    let minute = clock()
    // In their order: a record that is still being checked must not come after the next.
    let taking: Promise<void> = Promise.resolve()
    readFrames(stream, (bytes) => {
      if (clock() - minute >= 60_000 || clock() < minute) [minute, count] = [clock(), 0]
      if (++count > MAX_ANNOUNCE_FRAMES_PER_MINUTE) throw new Error('too many frames')
      const frame = decodeAnnounceFrame(bytes)
      if (frame?.type === 'visible') {
        saidFirst?.()
        if (saidFirst !== undefined) subscribe(peer, stream)
        saidFirst = undefined
        visible(peer, frame.visibility)
      } else if (frame?.type === 'record') {
        taking = taking.then(async () => {
          const refused = await take(peer, frame)
          if (refused !== undefined) send(stream, { type: 'refused', reason: refused })
        })
        taking.catch((error: unknown) => stream.abort(error instanceof Error ? error : new Error('a record could not be taken')))
      }
    })
  }

  const subscribe = (peer: string, stream: Stream): void => {
    const own = streams.get(peer) ?? new Set()
    streams.set(peer, own.add(stream))
    stream.addEventListener('close', () => {
      own.delete(stream)
      if (own.size === 0 && streams.get(peer) === own) streams.delete(peer)
    })
  }

  const onStream = (stream: Stream, connection: Connection): void => {
    const peer = connection.remotePeer.toString()
    if (registry.get(peer) === undefined) stream.abort(new Error('announcing needs a session'))
    else serve(peer, stream)
  }

  const onChange = ({ peer, before, after }: SessionChange): void => {
    if (after.state === 'ended') {
      announcements.delete(peer)
      settle(peer)
      for (const stream of streams.get(peer) ?? []) stream.abort(new Error('the session has ended'))
    } else if (before?.state === 'ended' || before?.state !== after.state || before.visibility !== after.visibility) {
      settle(peer)
      tellPlaces(peer)
    }
  }

  const ownAddressesChanged = (): void => {
    const own = ownCircuits()
    for (const [peer, { state }] of announcements) if (state !== 'quiet') apply(peer, { type: 'own', own })
  }

  return {
    ownAddressesChanged,
    announced: () => placement.announced(),
    async start() {
      unsubscribe ??= registry.subscribe(onChange)
      const look = (): void => {
        ownAddressesChanged()
        for (const peer of announcements.keys()) apply(peer, { type: 'tick' })
      }
      if (timers.length === 0) {
        timers = [setInterval(look, OWN_ADDRESSES_CHECK_MS).unref(), setInterval(() => placement.retry(), ANNOUNCE_RETRY_MS).unref()]
      }
      await node.handle(ANNOUNCE_PROTOCOL, onStream, { maxInboundStreams: MAX_STREAMS_PER_CONNECTION })
    },
    async stop() {
      unsubscribe?.()
      unsubscribe = undefined
      for (const timer of timers.splice(0)) clearInterval(timer)
      await node.unhandle(ANNOUNCE_PROTOCOL)
      for (const own of streams.values()) for (const stream of own) stream.abort(new Error('the bridge is stopping'))
      announcements.clear()
      await placement.clear()
    },
  }
}
