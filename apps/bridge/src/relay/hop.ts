/**
 * The relay as a libp2p service: answers HOP (reserve, connect) and asks STOP of the destination. Wire: wire.ts. Who may: the RelayPolicy.
 *
 * Rules: a reservation needs `mayReserve`, is renewed by asking again and ends with the peer's last connection. A circuit goes to the newest connection
 * of its destination, because the older one may be a tab that sleeps. Every refusal has the specification's status.
 */
import type { Connection, Libp2pEvents, PeerId, PrivateKey, Startable, Stream, TypedEventTarget } from '@libp2p/interface'
import type { ConnectionManager, Registrar } from '@libp2p/interface-internal'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { lpStream } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import * as digest from 'multiformats/hashes/digest'
import { type CircuitSlot, createCircuits } from './circuits.ts'
import { RELAY_LIMITS, type RelayLimits } from './limits.ts'
import { createMeter } from './meter.ts'
import type { Relay, RelayEvents, RelayPolicy } from './relay.ts'
import { createReservations } from './reservations.ts'
import { sealVoucher } from './voucher.ts'
import {
  HOP_PROTOCOL,
  MAX_RELAY_MESSAGE_BYTES,
  STATUS,
  STOP_PROTOCOL,
  type HopMessage,
  type Status,
  type StopMessage,
  type WireLimit,
  decodeHopMessage,
  decodeStopMessage,
  encodeHopMessage,
  encodeStopMessage,
} from './wire.ts'

/** The parts of a libp2p node that the relay uses. */
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
  /** Where clients can be reached through this relay, without /p2p-circuit; told to whoever reserves. */
  readonly relayAddresses: () => readonly Multiaddr[]
  readonly limits?: RelayLimits
  readonly now?: () => number
}

/** For libp2p's `services`. */
export function circuitRelay(options: HopOptions): (components: HopComponents) => Relay & Startable {
  return (components) => createHop(components, options)
}

function createHop(components: HopComponents, options: HopOptions): Relay & Startable {
  const { policy, relayAddresses, limits = RELAY_LIMITS, now = Date.now } = options
  const meter = createMeter({ now })
  const reservations = createReservations({ max: limits.maxReservations, now, events: options.events })
  const circuits = createCircuits({ limits, meter, now })
  const wireLimit: WireLimit = { durationSeconds: limits.circuitSeconds, dataBytes: BigInt(limits.circuitBytes) }
  let timer: NodeJS.Timeout | undefined

  const newestConnection = (peer: PeerId): Connection | undefined =>
    components.connectionManager
      .getConnections(peer)
      .filter(({ status }) => status === 'open')
      .reduce<Connection | undefined>(
        (best, each) => (best === undefined || each.timeline.open >= best.timeline.open ? each : best),
        undefined,
      )

  const onHop = (stream: Stream, connection: Connection): void => {
    serve(stream, connection).catch((error: unknown) => {
      stream.abort(error instanceof Error ? error : new Error('the HOP stream failed'))
    })
  }

  const serve = async (stream: Stream, connection: Connection): Promise<void> => {
    const frames = lpStream(stream, { maxDataLength: MAX_RELAY_MESSAGE_BYTES, maxBufferSize: 64 * 1024 })
    let request: HopMessage
    try {
      const frame = await frames.read({ signal: AbortSignal.timeout(limits.messageMs) })
      request = decodeHopMessage(frame.subarray())
    } catch {
      frames.unwrap()
      if (stream.status === 'open') await refuse(stream, STATUS.MALFORMED_MESSAGE)
      return
    }
    frames.unwrap()
    switch (request.type) {
      case 'RESERVE':
        await reserve(stream, connection)
        return
      case 'CONNECT':
        await connect(stream, connection, request)
        return
      case 'STATUS':
      case undefined:
        await refuse(stream, STATUS.UNEXPECTED_MESSAGE)
    }
  }

  const refuse = (stream: Stream, status: Status): Promise<void> => answer(stream, { type: 'STATUS', status })

  const answer = async (stream: Stream, message: HopMessage): Promise<void> => {
    stream.send(frame(encodeHopMessage(message)))
    await stream.close({ signal: AbortSignal.timeout(limits.messageMs) })
  }

  const reserve = async (stream: Stream, connection: Connection): Promise<void> => {
    const { remotePeer: peer } = connection
    if (isRelayed(connection) || !policy.mayReserve(peer)) return refuse(stream, STATUS.PERMISSION_DENIED)
    const expire = BigInt(Math.floor((now() + limits.reservationMs) / 1_000))
    const voucher = await sealVoucher({ relay: components.peerId, peer, expire }, components.privateKey)
    // Signing took a moment: the session or the connection may be gone by now.
    if (connection.status !== 'open' || !policy.mayReserve(peer)) return refuse(stream, STATUS.PERMISSION_DENIED)
    if (!reservations.reserve(peer, Number(expire) * 1_000)) return refuse(stream, STATUS.RESERVATION_REFUSED)
    const addrs = relayAddresses().map(({ bytes }) => bytes)
    return answer(stream, { type: 'STATUS', status: STATUS.OK, reservation: { expire, addrs, voucher }, limit: wireLimit })
  }

  const connect = async (stream: Stream, connection: Connection, request: HopMessage): Promise<void> => {
    const source = connection.remotePeer
    const destination = request.peer && decodePeerId(request.peer.id)
    if (destination === undefined) return refuse(stream, STATUS.MALFORMED_MESSAGE)
    if (isRelayed(connection) || source.equals(destination)) return refuse(stream, STATUS.PERMISSION_DENIED)
    const through = newestConnection(destination)
    if (!reservations.has(destination) || through === undefined) return refuse(stream, STATUS.NO_RESERVATION)
    const accounts = policy.accountsFor(source, destination)
    if (accounts.length === 0) return refuse(stream, STATUS.PERMISSION_DENIED)
    const slot = circuits.open(source, destination, accounts)
    if (slot === undefined) return refuse(stream, STATUS.RESOURCE_LIMIT_EXCEEDED)
    const onward = await askDestination(through, source, slot)
    if (onward === undefined) {
      slot.discard()
      return refuse(stream, STATUS.CONNECTION_FAILED)
    }
    try {
      stream.send(frame(encodeHopMessage({ type: 'STATUS', status: STATUS.OK, limit: wireLimit })))
      slot.join(stream, onward)
    } catch (error) {
      onward.abort(error instanceof Error ? error : new Error('the caller is gone'))
      slot.discard()
      throw error
    }
  }

  /** The STOP exchange. Undefined when the destination cannot be asked, refuses or does not answer in time. */
  const askDestination = async (connection: Connection, source: PeerId, slot: CircuitSlot): Promise<Stream | undefined> => {
    const signal = AbortSignal.any([slot.signal, AbortSignal.timeout(limits.messageMs)])
    let stream: Stream | undefined
    try {
      stream = await connection.newStream(STOP_PROTOCOL, {
        maxOutboundStreams: limits.maxStopStreams,
        runOnLimitedConnection: true,
        signal,
      })
      const frames = lpStream(stream, { maxDataLength: MAX_RELAY_MESSAGE_BYTES })
      const request: StopMessage = { type: 'CONNECT', peer: { id: source.toMultihash().bytes, addrs: [] }, limit: wireLimit }
      await frames.write(encodeStopMessage(request), { signal })
      const reply = decodeStopMessage((await frames.read({ signal })).subarray())
      if (reply.type !== 'STATUS' || reply.status !== STATUS.OK) throw new Error(`the destination answered ${reply.status ?? 'nothing'}`)
      return frames.unwrap()
    } catch (error) {
      stream?.abort(error instanceof Error ? error : new Error('the STOP exchange failed'))
      return undefined
    }
  }

  const onPeerGone = ({ detail: peer }: CustomEvent<PeerId>): void => {
    reservations.release(peer)
  }

  const sweep = (): void => {
    reservations.sweep()
    circuits.sweep()
    meter.sweep()
  }

  return {
    async start() {
      if (timer !== undefined) return
      timer = setInterval(sweep, limits.sweepMs)
      timer.unref()
      components.events.addEventListener('peer:disconnect', onPeerGone)
      await components.registrar.handle(HOP_PROTOCOL, onHop, { maxInboundStreams: limits.maxHopStreams, runOnLimitedConnection: true })
    },
    async stop() {
      clearInterval(timer)
      timer = undefined
      components.events.removeEventListener('peer:disconnect', onPeerGone)
      await components.registrar.unhandle(HOP_PROTOCOL)
      circuits.cutAll(new Error('the relay is stopping'))
    },
    release(peer) {
      reservations.release(peer)
      circuits.cutPeer(peer, new Error('the session has ended'))
    },
    hasReservation: (peer) => reservations.has(peer),
    circuits: () => circuits.list(),
  }
}

/** Relaying over a relayed connection would make chains; the specification forbids it. */
function isRelayed(connection: Connection): boolean {
  return connection.remoteAddr.getComponents().some(({ name }) => name === 'p2p-circuit')
}

function decodePeerId(id: Uint8Array): PeerId | undefined {
  try {
    return peerIdFromMultihash(digest.decode(id))
  } catch {
    return undefined
  }
}

/** Varint length and message; relay messages fit two bytes of length. */
function frame(message: Uint8Array): Uint8Array {
  const { length } = message
  const prefix = length < 0x80 ? [length] : [(length & 0x7f) | 0x80, length >> 7]
  const bytes = new Uint8Array(prefix.length + length)
  bytes.set(prefix)
  bytes.set(message, prefix.length)
  return bytes
}
