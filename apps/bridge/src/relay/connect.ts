/**
 * CONNECT: joins a caller to a peer that holds a reservation, over the connection that this peer opened to the relay. The relay never dials: the addresses in a
 * message are not even looked at, so nobody can make it reach into its own machine or network.
 *
 * In the order of cost: shape, permission, reservation, rates, places, then the STOP exchange. Every refusal has the specification's status; whoever is held up by
 * a limit and has a session is told which.
 * Not here: framing (hop.ts) and the running circuit (circuits.ts).
 */
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { peerIdFromMultihash } from '@libp2p/peer-id'
import { byteStream } from '@libp2p/utils'
import * as digest from 'multiformats/hashes/digest'
import type { Circuits, CircuitSlot } from './circuits.ts'
import { statusName, type Counters } from './counters.ts'
import { frameMessage, readMessage } from './framing.ts'
import type { RelayLimits } from './limits.ts'
import type { RateBook } from './rate-book.ts'
import type { LimitKind, RelayEvents, RelayPolicy } from './relay.ts'
import type { Reservations } from './reservations.ts'
import { circuitRateClaims, networkOf, scopesOfCircuit, type Scope } from './scopes.ts'
import {
  STATUS,
  STOP_PROTOCOL,
  decodeStopMessage,
  encodeStopMessage,
  type HopMessage,
  type Status,
  type StopMessage,
  type WireLimit,
} from './wire.ts'

export interface ConnectDependencies {
  readonly limits: RelayLimits
  readonly wireLimit: WireLimit
  readonly policy: RelayPolicy
  readonly events: Pick<RelayEvents, 'held'>
  readonly reservations: Pick<Reservations, 'has'>
  readonly circuits: Pick<Circuits, 'open'>
  readonly rates: RateBook
  readonly counters: Counters
  readonly now: () => number
  /** The connection over which a peer is asked; undefined when it has none. */
  readonly connectionTo: (peer: PeerId) => Connection | undefined
  readonly isDraining: () => boolean
}

export type ConnectAnswer =
  | { readonly status: Exclude<Status, 100> }
  /** The destination has accepted: the caller is told, and then the streams are joined. */
  | { readonly status: 100; readonly onward: Stream; readonly slot: CircuitSlot }

export type Connect = (connection: Connection, request: HopMessage) => Promise<ConnectAnswer>

export function createConnect(dependencies: ConnectDependencies): Connect {
  const { limits, wireLimit, policy, events, reservations, circuits, rates, counters, now, connectionTo, isDraining } = dependencies

  const refuse = (status: Exclude<Status, 100>, scopes: readonly Scope[] = []): ConnectAnswer => {
    counters.count({ circuitsRefused: statusName(status) })
    const tokens = scopes.flatMap(({ kind, id }) => (kind === 'token' ? [id] : []))
    counters.countFor(tokens, { circuitsRefused: statusName(status) })
    return { status }
  }

  /** Refuses because of a limit, and says so to those whose limit it is. */
  const hold = (scope: Scope, limit: LimitKind, until: number | null, scopes: readonly Scope[]): ConnectAnswer => {
    for (const peer of scope.peers) events.held(peer, { limit, scope: scope.kind, until })
    return refuse(STATUS.RESOURCE_LIMIT_EXCEEDED, scopes)
  }

  return async (connection, request) => {
    const source = connection.remotePeer
    const destination = request.peer && decodePeerId(request.peer.id)
    if (destination === undefined) return refuse(STATUS.MALFORMED_MESSAGE)
    if (isRelayed(connection) || source.equals(destination) || !policy.mayConnect(source, destination))
      return refuse(STATUS.PERMISSION_DENIED)
    if (isDraining()) return refuse(STATUS.RESOURCE_LIMIT_EXCEEDED)
    const through = connectionTo(destination)
    if (!reservations.has(destination) || through === undefined) return refuse(STATUS.NO_RESERVATION)

    const ends = [
      { peer: source.toString(), address: networkOf(connection) },
      { peer: destination.toString(), address: networkOf(through) },
    ] as const
    const scopes = scopesOfCircuit(...ends, policy)
    const rate = rates.take(circuitRateClaims(scopes).map(forCircuits), 1)
    if (rate.state === 'short') return hold(rate.claim, 'circuit_rate', now() + rate.waitMs, scopes)
    const spent = policy.days.take(
      scopes.map((scope) => ({ ...scope, maxBytes: scope.limits.bytesPerDay })).filter(({ maxBytes }) => maxBytes !== null),
      1,
      0,
    )
    if (spent.state === 'short') return hold(spent.claim, 'bytes_per_day', policy.days.endOfDay(), scopes)
    const opened = circuits.open(...ends, scopes)
    if (opened.state === 'full') return hold(opened.scope, 'circuits', null, scopes)

    const onward = await askDestination(through, source, opened.slot)
    if (onward !== undefined) return { status: STATUS.OK, onward, slot: opened.slot }
    opened.slot.discard()
    return refuse(STATUS.CONNECTION_FAILED, scopes)
  }

  /** The STOP exchange. Undefined when the destination cannot be asked, refuses or does not answer in time. */
  async function askDestination(connection: Connection, source: PeerId, slot: CircuitSlot): Promise<Stream | undefined> {
    const signal = AbortSignal.any([slot.signal, AbortSignal.timeout(limits.messageMs)])
    let stream: Stream | undefined
    try {
      stream = await connection.newStream(STOP_PROTOCOL, {
        maxOutboundStreams: limits.maxStopStreams,
        runOnLimitedConnection: true,
        signal,
      })
      const bytes = byteStream(stream)
      const request: StopMessage = { type: 'CONNECT', peer: { id: source.toMultihash().bytes, addrs: [] }, limit: wireLimit }
      await bytes.write(frameMessage(encodeStopMessage(request)), { signal })
      const reply = decodeStopMessage(await readMessage(bytes, signal))
      if (reply.type !== 'STATUS' || reply.status !== STATUS.OK) throw new Error(`the destination answered ${reply.status ?? 'nothing'}`)
      return bytes.unwrap()
    } catch (error) {
      stream?.abort(error instanceof Error ? error : new Error('the STOP exchange failed'))
      return undefined
    }
  }
}

/** Circuits and bytes share one book and not their buckets. */
function forCircuits<Claim extends { readonly key: string }>(claim: Claim): Claim {
  return { ...claim, key: `circuits of ${claim.key}` }
}

/** Relaying over a relayed connection would make chains; the specification forbids it. */
export function isRelayed(connection: Pick<Connection, 'remoteAddr'>): boolean {
  return connection.remoteAddr.getComponents().some(({ name }) => name === 'p2p-circuit')
}

function decodePeerId(id: Uint8Array): PeerId | undefined {
  try {
    return peerIdFromMultihash(digest.decode(id))
  } catch {
    return undefined
  }
}
