/**
 * Who holds a reservation and until when: the reservation book. One per PeerID; it ends by its time, by `release`, or with the peer's last connection (hop.ts
 * tells). Each holds a place in every scope that pays for it.
 * Not here: who may have one (policy) and how it is asked for (reserve.ts).
 */
import type { PeerId } from '@libp2p/interface'
import { createCountBook, type Hold } from './count-book.ts'
import type { RelayEvents } from './relay.ts'
import type { Scope } from './scopes.ts'

export type ReserveAnswer = { readonly state: 'made' | 'renewed' } | { readonly state: 'full'; readonly scope: Scope }

export interface Reservations {
  readonly size: number
  /**
   * Makes or renews. A renewal moves its places to the scopes given now, since a device may have changed its network or its token; where those are full the
   * old reservation stays as it is.
   */
  reserve(peer: PeerId, expiresAt: number, scopes: readonly Scope[]): ReserveAnswer
  has(peer: PeerId): boolean
  release(peer: PeerId): void
  /** Drops what has expired. */
  sweep(): void
  /** Places held in a scope. */
  count(scopeKey: string): number
}

interface Reservation {
  readonly peer: PeerId
  readonly expiresAt: number
  readonly scopes: readonly Scope[]
  readonly hold: Hold
}

export function createReservations(options: {
  /** In all, whatever the scopes allow. */
  readonly max: number
  readonly now: () => number
  readonly events: Pick<RelayEvents, 'reserved' | 'unreserved'>
  /** Told how many a reservation's scopes hold more or fewer. */
  readonly changed?: (scopes: readonly Scope[], by: 1 | -1) => void
  /** Told of one that ended by its time, in addition. */
  readonly expired?: (scopes: readonly Scope[]) => void
}): Reservations {
  const { max, now, events, changed, expired } = options
  const held = new Map<string, Reservation>()
  const places = createCountBook()

  const take = (
    scopes: readonly Scope[],
    isBounded: boolean,
  ): ReturnType<typeof places.take<{ key: string; max: number | null; scope: Scope }>> =>
    places.take(scopes.map((scope) => ({ key: scope.key, max: isBounded ? scope.limits.reservations : null, scope })))

  const drop = (reservation: Reservation): void => {
    held.delete(reservation.peer.toString())
    reservation.hold.release()
    changed?.(reservation.scopes, -1)
  }

  const release = (peer: PeerId): void => {
    const reservation = held.get(peer.toString())
    if (reservation === undefined) return
    drop(reservation)
    events.unreserved(peer)
  }

  return {
    get size() {
      return held.size
    },
    reserve(peer, expiresAt, scopes) {
      const id = peer.toString()
      const before = held.get(id)
      if (before === undefined && held.size >= max) return { state: 'full', scope: bridgeOf(scopes) }
      before?.hold.release()
      const taken = take(scopes, true)
      if (taken.state === 'full') {
        if (before !== undefined) keep(before)
        return { state: 'full', scope: taken.claim.scope }
      }
      held.set(id, { peer, expiresAt, scopes, hold: taken.hold })
      if (before !== undefined) changed?.(before.scopes, -1)
      changed?.(scopes, 1)
      events.reserved(peer, expiresAt)
      return { state: before === undefined ? 'made' : 'renewed' }
    },
    has(peer) {
      const reservation = held.get(peer.toString())
      return reservation !== undefined && reservation.expiresAt > now()
    },
    release,
    sweep() {
      const at = now()
      for (const { peer, expiresAt, scopes } of held.values()) {
        if (expiresAt > at) continue
        release(peer)
        expired?.(scopes)
      }
    },
    count: (scopeKey) => places.count(scopeKey),
  }

  /** Takes the places back that a refused renewal gave up; they were its own a moment ago. */
  function keep(reservation: Reservation): void {
    const taken = take(reservation.scopes, false)
    if (taken.state === 'taken') held.set(reservation.peer.toString(), { ...reservation, hold: taken.hold })
  }
}

function bridgeOf(scopes: readonly Scope[]): Scope {
  const bridge = scopes.find(({ kind }) => kind === 'bridge')
  if (bridge === undefined) throw new Error('every reservation counts for the bridge')
  return bridge
}
