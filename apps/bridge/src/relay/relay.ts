/**
 * The relay's seam: what the bridge asks of a circuit-relay-v2 service, whichever serves behind it.
 * Not here: the wire and the pump (hop.ts, pump.ts) and who may reserve (the policy comes in as a function).
 */
import type { PeerId } from '@libp2p/interface'

/** Answers that the relay needs from the rest of the bridge; each is asked at the moment of use, so that changes take effect at once. */
export interface RelayPolicy {
  /** May this peer hold a reservation? Sessions may. */
  mayReserve(peer: PeerId): boolean
  /**
   * Whose budget pays for a circuit between these two: every account listed is metered for every byte. Peers without a session have none.
   * An empty answer refuses the circuit.
   */
  accountsFor(source: PeerId, destination: PeerId): readonly RelayAccount[]
}

/** One token's budget. The relay meters before it sends. */
export interface RelayAccount {
  readonly id: string
  /** Bytes per second over all circuits of the account; null is unlimited. */
  readonly bytesPerSecond: number | null
  /** Takes bytes from today's budget. False: the budget is used up, and the circuit is closed. */
  take(bytes: number): boolean
}

export interface RelayEvents {
  reserved(peer: PeerId, expiresAt: number): void
  unreserved(peer: PeerId): void
}

export interface CircuitInfo {
  readonly source: string
  readonly destination: string
  readonly openedAt: number
  readonly bytes: number
}

export interface Relay {
  /** Ends the peer's reservation and every circuit that it is an end of. */
  release(peer: PeerId): void
  hasReservation(peer: PeerId): boolean
  circuits(): readonly CircuitInfo[]
}
