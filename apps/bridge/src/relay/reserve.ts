/**
 * RESERVE: a peer asks to be reachable through the relay. Granted to whom the policy allows it, when every scope that pays for it has a place; renewed by
 * asking again.
 * Not here: the book (reservations.ts), framing (hop.ts).
 */
import type { Connection, PeerId, PrivateKey } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { isRelayed } from './connect.ts'
import { statusName, type Counters } from './counters.ts'
import type { RelayLimits } from './limits.ts'
import type { RateBook } from './rate-book.ts'
import type { RelayEvents, RelayPolicy } from './relay.ts'
import type { Reservations } from './reservations.ts'
import { networkOf, scopesOfReservation, type Scope } from './scopes.ts'
import { sealVoucher } from './voucher.ts'
import { STATUS, type HopMessage, type Status, type WireLimit } from './wire.ts'

export interface ReserveDependencies {
  readonly relay: PeerId
  readonly privateKey: PrivateKey
  readonly limits: RelayLimits
  readonly wireLimit: WireLimit
  readonly policy: RelayPolicy
  readonly events: Pick<RelayEvents, 'held'>
  readonly reservations: Reservations
  readonly rates: RateBook
  readonly counters: Counters
  readonly relayAddresses: () => readonly Multiaddr[]
  readonly now: () => number
  readonly connectionTo: (peer: PeerId) => Connection | undefined
  readonly isDraining: () => boolean
}

/** @returns what is answered. */
export type Reserve = (connection: Connection) => Promise<HopMessage>

export function createReserve(dependencies: ReserveDependencies): Reserve {
  const { isDraining, connectionTo } = dependencies
  const { relay, privateKey, limits, wireLimit, policy, events, reservations, rates, counters, relayAddresses, now } = dependencies

  const refuse = (status: Exclude<Status, 100>, peer: PeerId): HopMessage => {
    const token = policy.tokenOf(peer.toString())
    counters.count({ reservationsRefused: statusName(status) })
    counters.countFor(token === undefined ? [] : [token.id], { reservationsRefused: statusName(status) })
    return { type: 'STATUS', status }
  }

  const tellFull = ({ peers, kind }: Scope): void => {
    for (const each of peers) events.held(each, { limit: 'reservations', scope: kind, until: null })
  }

  return async (connection) => {
    const { remotePeer: peer } = connection
    const id = peer.toString()
    if (isRelayed(connection) || !policy.mayReserve(peer)) return refuse(STATUS.PERMISSION_DENIED, peer)
    if (isDraining()) return refuse(STATUS.RESERVATION_REFUSED, peer)
    const rate = rates.take([{ key: `reserve ${id}`, perSecond: limits.reservePerSecond, burst: limits.reserveBurst }], 1)
    if (rate.state === 'short') {
      events.held(id, { limit: 'reservations', scope: 'peer', until: now() + rate.waitMs })
      return refuse(STATUS.RESERVATION_REFUSED, peer)
    }

    // A reservation ends with the peer's last connection; that one may have ended while its request was read.
    if (connectionTo(peer) === undefined) return refuse(STATUS.RESERVATION_REFUSED, peer)
    const expire = BigInt(Math.floor((now() + limits.reservationMs) / 1_000))
    // The place first, then the signature: what is refused costs none.
    const answer = reservations.reserve(
      peer,
      Number(expire) * 1_000,
      scopesOfReservation({ peer: id, address: networkOf(connection) }, policy),
    )
    if (answer.state === 'full') {
      tellFull(answer.scope)
      return refuse(STATUS.RESERVATION_REFUSED, peer)
    }
    const voucher = await sealVoucher({ relay, peer, expire }, privateKey)
    // Signing took a moment: the session may have ended meanwhile, and with it the reservation.
    if (!policy.mayReserve(peer)) reservations.release(peer)
    if (!reservations.has(peer)) return refuse(STATUS.PERMISSION_DENIED, peer)
    counters.count({ reservationsMade: 1 })
    const token = policy.tokenOf(id)
    if (token !== undefined) counters.countFor([token.id], { reservationsMade: 1 })
    const addrs = relayAddresses().map(({ bytes }) => bytes)
    return { type: 'STATUS', status: STATUS.OK, reservation: { expire, addrs, voucher }, limit: wireLimit }
  }
}
