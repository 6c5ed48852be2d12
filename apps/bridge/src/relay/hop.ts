/**
 * The relay as a libp2p service: takes HOP streams, reads their one request, answers it (reserve.ts, connect.ts) and joins what is connected.
 *
 * Rules: a reservation is renewed by asking again and ends with the peer's last connection. A circuit goes to the newest open connection of its
 * destination, because the older one may be a tab that sleeps; when the newest closes, the next newest serves. Every read and write has a deadline, and every
 * refusal the specification's status. Wire: wire.ts. Who may, and how much: the RelayPolicy.
 */
import type { Connection, Libp2pEvents, PeerId, PrivateKey, Startable, Stream, TypedEventTarget } from '@libp2p/interface'
import type { ConnectionManager, Registrar } from '@libp2p/interface-internal'
import { byteStream } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import { resetAfter } from '../node/stream-deadline.ts'
import { createBeside } from './beside.ts'
import { createCircuits } from './circuits.ts'
import { createConnect } from './connect.ts'
import { createCounters } from './counters.ts'
import { frameMessage, readMessage } from './framing.ts'
import { RELAY_LIMITS, type RelayLimits } from './limits.ts'
import { createRateBook } from './rate-book.ts'
import type { Relay, RelayEvents, RelayPolicy } from './relay.ts'
import { createReservations } from './reservations.ts'
import { createReserve } from './reserve.ts'
import { HOP_PROTOCOL, STATUS, type HopMessage, type WireLimit, decodeHopMessage, encodeHopMessage } from './wire.ts'

/** The parts of a libp2p node that the relay uses. None of them dials. */
export interface HopComponents {
  readonly peerId: PeerId
  readonly privateKey: PrivateKey
  readonly registrar: Pick<Registrar, 'handle' | 'unhandle'>
  readonly connectionManager: Pick<ConnectionManager, 'getConnections'>
  readonly events: TypedEventTarget<Libp2pEvents>
}

export interface HopOptions {
  readonly policy: RelayPolicy
  readonly events: RelayEvents
  /** Where clients can be reached through this relay, each ending in its /p2p/, without /p2p-circuit; told to whoever reserves. */
  readonly relayAddresses: () => readonly Multiaddr[]
  readonly limits?: RelayLimits
  readonly now?: () => number
}

/** For libp2p's `services`. */
export function circuitRelay(options: HopOptions): (components: HopComponents) => Relay & Startable {
  return (components) => createHop(components, options)
}

function createHop(components: HopComponents, options: HopOptions): Relay & Startable {
  const { policy, events, relayAddresses, limits = RELAY_LIMITS, now = Date.now } = options
  const wireLimit: WireLimit = { durationSeconds: limits.circuitSeconds, dataBytes: BigInt(limits.circuitBytes) }
  let timer: NodeJS.Timeout | undefined
  let draining = false
  const isDraining = (): boolean => draining

  const connectionTo = (peer: PeerId): Connection | undefined => newestOf(components.connectionManager.getConnections(peer))

  const rates = createRateBook({ now })
  const counters = createCounters()
  const circuits = createCircuits({ limits, policy, rates, counters, events, now })
  const beside = createBeside({ policy, rates, events, now })
  const reservations = createReservations({
    max: limits.maxReservations,
    now,
    events,
    changed: (scopes, by) => {
      counters.count({ reservations: by })
      for (const { kind, id } of scopes) if (kind === 'token') counters.countFor([id], { reservations: by })
    },
    expired: (scopes) => {
      counters.count({ reservationsExpired: 1 })
      for (const { kind, id } of scopes) if (kind === 'token') counters.countFor([id], { reservationsExpired: 1 })
    },
  })
  const shared = { limits, wireLimit, policy, events, reservations, rates, counters, now, connectionTo, isDraining }
  const reserve = createReserve({ ...shared, relay: components.peerId, privateKey: components.privateKey, relayAddresses })
  const connect = createConnect({ ...shared, circuits })

  const onHop = (stream: Stream, connection: Connection): void => {
    serve(stream, connection).catch((error: unknown) => {
      stream.abort(error instanceof Error ? error : new Error('the HOP stream failed'))
    })
  }

  const serve = async (stream: Stream, connection: Connection): Promise<void> => {
    // What follows the request belongs to the circuit: a caller may send without waiting for the answer, within reason.
    const bytes = byteStream(stream, { maxBufferSize: 64 * 1024 })
    let request: HopMessage
    try {
      request = decodeHopMessage(await readMessage(bytes, AbortSignal.timeout(limits.messageMs)))
    } catch {
      bytes.unwrap()
      if (stream.status === 'open') await answer(stream, { type: 'STATUS', status: STATUS.MALFORMED_MESSAGE })
      return
    }
    bytes.unwrap()
    switch (request.type) {
      case 'RESERVE':
        return answer(stream, await reserve(connection))
      case 'CONNECT':
        return join(stream, connection, request)
      case 'STATUS':
        return answer(stream, { type: 'STATUS', status: STATUS.UNEXPECTED_MESSAGE })
      case undefined:
        // The type is a required field, and one that we do not know is none.
        return answer(stream, { type: 'STATUS', status: STATUS.MALFORMED_MESSAGE })
    }
  }

  const join = async (stream: Stream, connection: Connection, request: HopMessage): Promise<void> => {
    const connected = await connect(connection, request)
    if (connected.status !== STATUS.OK) return answer(stream, { type: 'STATUS', status: connected.status })
    const { onward, slot } = connected
    try {
      stream.send(frameMessage(encodeHopMessage({ type: 'STATUS', status: STATUS.OK, limit: wireLimit })))
      slot.join(stream, onward)
    } catch (error) {
      onward.abort(error instanceof Error ? error : new Error('the caller is gone'))
      slot.discard()
      throw error
    }
  }

  const answer = async (stream: Stream, message: HopMessage): Promise<void> => {
    stream.send(frameMessage(encodeHopMessage(message)))
    // Nothing more is said or heard here. Whoever leaves the other half open would keep one of the connection's places for HOP streams.
    resetAfter(stream, limits.messageMs, 'the answer was not taken, or the stream not closed after it')
    await stream.close()
  }

  const onPeerGone = ({ detail: peer }: CustomEvent<PeerId>): void => {
    reservations.release(peer)
    beside.forget(peer.toString())
  }

  const sweep = (): void => {
    reservations.sweep()
    circuits.sweep()
    rates.sweep()
  }

  return {
    async start() {
      if (timer !== undefined) return
      draining = false
      timer = setInterval(sweep, limits.sweepMs)
      timer.unref()
      components.events.addEventListener('peer:disconnect', onPeerGone)
      await components.registrar.handle(HOP_PROTOCOL, onHop, { maxInboundStreams: limits.maxHopStreams, runOnLimitedConnection: true })
    },
    async stop() {
      clearInterval(timer)
      timer = undefined
      draining = true
      components.events.removeEventListener('peer:disconnect', onPeerGone)
      await components.registrar.unhandle(HOP_PROTOCOL)
      circuits.cutAll()
    },
    release(peer) {
      reservations.release(peer)
      circuits.cutPeer(peer)
    },
    hasReservation: (peer) => reservations.has(peer),
    circuits: () => circuits.list(),
    beside,
    limitsChanged: () => circuits.limitsChanged(),
    drain(ms) {
      draining = true
      return circuits.drain(ms)
    },
    counters: () => counters.read(),
    totals: () => counters.readTotal(),
  }
}

/** Of those that are open; of two opened in one millisecond the later in the list. */
export function newestOf(connections: readonly Connection[]): Connection | undefined {
  let newest: Connection | undefined
  for (const connection of connections) {
    if (connection.status !== 'open') continue
    if (newest === undefined || connection.timeline.open >= newest.timeline.open) newest = connection
  }
  return newest
}
