/**
 * A session's states and the pure function that moves it between them (session-transition.ts). One session per PeerID.
 *
 *     admitted ──connected──► connected ──reserved──► reachable
 *        ▲                       │  ▲                    │
 *        └────disconnected───────┘  └──unreserved────────┘
 *     any state ──ended(reason)──► ended
 *
 * `admitted`: logged in, no libp2p connection yet (or none any more). `connected`: at least one connection. `reachable`: a reservation too; this is
 * what "virtual peer online" means. `ended` is final; another login makes a new session. A login of a peer whose session lives renews it in place.
 */
import type { Visibility } from '@footbridge/shared/wire/announce-frame'
import type { DeviceKind } from '@footbridge/shared/wire/presence-frame'

export type EndReason = 'logout' | 'expired' | 'revoked' | 'replaced' | 'stopped'

/** What a login granted, as the relay and presence need it. Times in milliseconds since the epoch. */
export interface Grant extends GrantLimits {
  readonly peer: string
  readonly tokenId: string
  readonly tokenLabel: string
  readonly guest: boolean
  readonly name: string
  readonly expiresAt: number
  /** What the login said of it; the session keeps what it has when a login says nothing. */
  readonly visibility?: Visibility | undefined
}

/** Of the token, for all its sessions together; null is unlimited. Changeable while they last. */
export interface GrantLimits {
  readonly maxReservations: number | null
  readonly maxCircuits: number | null
  readonly circuitsPerMinute: number | null
  readonly bytesPerDay: number | null
  readonly bytesPerSecond: number | null
}

/** What the device says of itself; shown to others. */
export interface Profile {
  readonly name: string
  readonly device: DeviceKind
}

interface Live extends Profile {
  readonly grant: Grant
  /** Who can find the peer. Who knows its address reaches it whatever this says. */
  readonly visibility: Visibility
  /** When this state was entered. */
  readonly since: number
}

export type Session =
  | (Live & { readonly state: 'admitted' })
  | (Live & { readonly state: 'connected'; readonly connections: number })
  | (Live & { readonly state: 'reachable'; readonly connections: number })
  | { readonly state: 'ended'; readonly grant: Grant; readonly since: number; readonly reason: EndReason }

export type SessionEvent =
  /** A login, the first or another. */
  | { readonly type: 'admitted'; readonly grant: Grant }
  /** The operator changed what the token may use. */
  | { readonly type: 'limits'; readonly limits: GrantLimits }
  /** How many open connections the peer has now. */
  | { readonly type: 'connections'; readonly count: number }
  | { readonly type: 'reserved' }
  | { readonly type: 'unreserved' }
  | { readonly type: 'profile'; readonly profile: Profile }
  | { readonly type: 'visibility'; readonly visibility: Visibility }
  /** Time has passed. */
  | { readonly type: 'tick' }
  | { readonly type: 'ended'; readonly reason: EndReason }
