/**
 * A session's states and the pure function that moves it between them. One session per PeerID.
 *
 *     admitted ──connected──► connected ──reserved──► reachable
 *        ▲                       │  ▲                    │
 *        └────disconnected───────┘  └──unreserved────────┘
 *     any state ──ended(reason)──► ended
 *
 * `admitted`: logged in, no libp2p connection yet (or none any more). `connected`: at least one connection. `reachable`: a reservation too; this is
 * what "virtual peer online" means. `ended` is final; another login makes a new session.
 */
export type EndReason = 'logout' | 'expired' | 'revoked' | 'replaced' | 'stopped'

/** What a login granted, as the relay and presence need it. Times in milliseconds since the epoch. */
export interface Grant {
  readonly peer: string
  readonly tokenId: string
  readonly tokenLabel: string
  readonly guest: boolean
  readonly name: string
  readonly expiresAt: number
  readonly bytesPerDay: number | null
  readonly bytesPerSecond: number | null
}

export type Session =
  | { readonly state: 'admitted'; readonly grant: Grant; readonly since: number }
  | { readonly state: 'connected'; readonly grant: Grant; readonly since: number; readonly connections: number }
  | {
      readonly state: 'reachable'
      readonly grant: Grant
      readonly since: number
      readonly connections: number
      readonly device: 'browser' | 'phone'
      readonly name: string
    }
  | { readonly state: 'ended'; readonly grant: Grant; readonly since: number; readonly reason: EndReason }
