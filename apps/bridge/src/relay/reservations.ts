/**
 * Who holds a reservation and until when. One per PeerID; it ends by its time, by `release`, or with the peer's last connection (hop.ts tells).
 * Not here: who may have one (policy) and how it is asked for (hop.ts).
 */
import type { PeerId } from '@libp2p/interface'
import type { RelayEvents } from './relay.ts'

export interface Reservations {
  readonly size: number
  /** Makes or renews. False: there is no room for another. */
  reserve(peer: PeerId, expiresAt: number): boolean
  has(peer: PeerId): boolean
  release(peer: PeerId): void
  /** Drops what has expired. */
  sweep(): void
}

export function createReservations(options: {
  readonly max: number
  readonly now: () => number
  readonly events: RelayEvents
}): Reservations {
  const { max, now, events } = options
  const held = new Map<string, { readonly peer: PeerId; readonly expiresAt: number }>()

  const release = (peer: PeerId): void => {
    if (held.delete(peer.toString())) events.unreserved(peer)
  }

  return {
    get size() {
      return held.size
    },
    reserve(peer, expiresAt) {
      const id = peer.toString()
      if (!held.has(id) && held.size >= max) return false
      held.set(id, { peer, expiresAt })
      events.reserved(peer, expiresAt)
      return true
    },
    has(peer) {
      const reservation = held.get(peer.toString())
      return reservation !== undefined && reservation.expiresAt > now()
    },
    release,
    sweep() {
      const at = now()
      for (const { peer, expiresAt } of held.values()) if (expiresAt <= at) release(peer)
    },
  }
}
