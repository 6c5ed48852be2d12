/**
 * The relay's seam: what the bridge asks of a circuit-relay-v2 service, whichever serves behind it, and what the relay asks of the bridge.
 * Not here: the wire and the pump (hop.ts, pump.ts), and who may reserve (the policy comes in).
 */
import type { PeerId } from '@libp2p/interface'
import type { Beside } from './beside.ts'
import type { CutReason, RelayCounters, TrafficCounters } from './counters.ts'
import type { ScopeKind, ScopeLimits } from './scopes.ts'

/** Answers that the relay needs from the rest of the bridge; each is asked at the moment of use, so that changes take effect at once. */
export interface RelayPolicy {
  /** May this peer hold a reservation? Sessions may. */
  mayReserve(peer: PeerId): boolean
  /** May `source` open a circuit to `destination`, which holds a reservation? */
  mayConnect(source: PeerId, destination: PeerId): boolean
  /** The token whose limits this peer uses; undefined for visitors. */
  tokenOf(peer: string): { readonly id: string; readonly limits: ScopeLimits } | undefined
  /** What one peer, one address and the whole bridge may use. */
  limits(): BridgeLimits
  readonly days: DailyBudgets
}

export type BridgeLimits = { readonly [Kind in Exclude<ScopeKind, 'token'>]: ScopeLimits }

/** Bytes per day. See auth/budgets.ts, which is it. */
export interface DailyBudgets {
  take<Claim extends DailyClaim>(
    claims: readonly Claim[],
    atLeastBytes: number,
    wantedBytes?: number,
  ): { readonly state: 'taken'; readonly bytes: number; readonly day: number } | { readonly state: 'short'; readonly claim: Claim }
  overdraw(claims: readonly DailyClaim[], bytes: number): number
  giveBack(claims: readonly DailyClaim[], bytes: number, day: number): void
  endOfDay(): number
}

export interface DailyClaim {
  readonly kind: ScopeKind
  readonly id: string
  readonly key: string
  readonly maxBytes: number | null
}

export type LimitKind = 'reservations' | 'circuits' | 'circuit_rate' | 'bytes_per_second' | 'bytes_per_day'

/** Facts and notices. Listeners must not throw. */
export interface RelayEvents {
  reserved(peer: PeerId, expiresAt: number): void
  unreserved(peer: PeerId): void
  /** A limit slows this peer down or has refused it something, or somebody who called it. `until` in milliseconds since the epoch, null when nobody knows. */
  held(peer: string, notice: { readonly limit: LimitKind; readonly scope: ScopeKind; readonly until: number | null }): void
  /** The circuit of `peer` with `other` will be cut. */
  ending(peer: string, notice: { readonly other: string; readonly reason: CutReason; readonly at: number }): void
}

export interface CircuitInfo {
  readonly source: string
  readonly destination: string
  readonly openedAt: number
  /** Both directions. */
  readonly bytes: number
}

export interface Relay {
  /** Ends the peer's reservation and, at once, every circuit that it is an end of. The other ends are told `peer`. */
  release(peer: PeerId): void
  hasReservation(peer: PeerId): boolean
  circuits(): readonly CircuitInfo[]
  /** Of what passes the bridge in other ways, and is paid for alike. */
  readonly beside: Pick<Beside, 'charge' | 'mayPass'>
  /** To be called after limits changed: running circuits use the new ones from their next bytes on. What is held beyond a lowered count is left. */
  limitsChanged(): void
  /**
   * Refuses reservations and circuits from now on, tells the ends of running circuits when they will be cut, and resolves when none is left, at the
   * latest after `ms`. What is left is cut by `stop`.
   */
  drain(ms: number): Promise<void>
  /** Live; a copy at the time of the call. */
  counters(): RelayCounters
  /** Those of all together, cheaply. */
  totals(): TrafficCounters
}
