/**
 * Whose limits count for what: the token, the peer, the address it comes from, and the bridge for everybody. A decision takes from all scopes that it
 * concerns or from none.
 *
 * Who pays for a circuit: the tokens and peers of both ends, the address of the one that asked for it, and the bridge. Not the address of the
 * destination: strangers choose whom they call, and a school behind one address would share one limit for being called. A reservation is paid for by the token,
 * the address and the bridge; a peer has one at most.
 * Not here: the counting (count-book.ts, rate-book.ts) and where the limits come from (RelayPolicy in relay.ts).
 */
import { addressKey } from '@footbridge/listeners/websocket/address-key'
import type { Connection } from '@libp2p/interface'
import { getNetConfig } from '@libp2p/utils'
import type { RateClaim } from './rate-book.ts'
import type { DailyClaim, RelayPolicy } from './relay.ts'

export type ScopeKind = 'token' | 'peer' | 'address' | 'bridge'

/** What a scope may use; null is unlimited. */
export interface ScopeLimits {
  readonly reservations: number | null
  /** At once. */
  readonly circuits: number | null
  readonly circuitsPerMinute: number | null
  /** Both directions together, as are the bytes of a day (UTC). */
  readonly bytesPerSecond: number | null
  readonly bytesPerDay: number | null
}

export const UNLIMITED: ScopeLimits = {
  reservations: null,
  circuits: null,
  circuitsPerMinute: null,
  bytesPerSecond: null,
  bytesPerDay: null,
}

export interface Scope {
  readonly kind: ScopeKind
  readonly id: string
  readonly key: string
  readonly limits: ScopeLimits
  /** The ends, by PeerID, that this scope's limits hold up: they are told. */
  readonly peers: readonly string[]
}

/** One end of what is asked for: a peer, and where its connection comes from. */
export interface End {
  readonly peer: string
  /** Undefined: it counts for no address. */
  readonly address: string | undefined
}

export function scopesOfReservation({ peer, address }: End, policy: RelayPolicy): Scope[] {
  const { address: perAddress, bridge } = policy.limits()
  return [
    ...tokenScopes([peer], policy),
    ...(address === undefined ? [] : [scope('address', address, perAddress, [peer])]),
    scope('bridge', '', bridge, [peer]),
  ]
}

export function scopesOfCircuit(source: End, destination: End, policy: RelayPolicy): Scope[] {
  const ends = [source.peer, destination.peer]
  const { peer, address, bridge } = policy.limits()
  return [
    ...tokenScopes(ends, policy),
    ...ends.map((id) => scope('peer', id, peer, [id])),
    ...(source.address === undefined ? [] : [scope('address', source.address, address, [source.peer])]),
    scope('bridge', '', bridge, ends),
  ]
}

/** Of bytes that pass beside circuits. Not the address: it is as with the destination of a circuit, which did not choose what comes. */
export function scopesOfPeer(id: string, policy: RelayPolicy): Scope[] {
  const { peer, bridge } = policy.limits()
  return [...tokenScopes([id], policy), scope('peer', id, peer, [id]), scope('bridge', '', bridge, [id])]
}

/** Two devices of one token pay once. */
function tokenScopes(peers: readonly string[], policy: RelayPolicy): Scope[] {
  const scopes = new Map<string, Scope>()
  for (const peer of peers) {
    const token = policy.tokenOf(peer)
    if (token === undefined) continue
    const present = scopes.get(token.id)
    scopes.set(token.id, scope('token', token.id, token.limits, [...(present?.peers ?? []), peer]))
  }
  return [...scopes.values()]
}

function scope(kind: ScopeKind, id: string, limits: ScopeLimits, peers: readonly string[]): Scope {
  return { kind, id, key: `${kind}:${id}`, limits, peers }
}

/** How much of a minute's circuits may come at once: a site's visitors come in bursts. */
const CIRCUIT_BURST_OF_A_MINUTE = 0.25

export function circuitRateClaims(scopes: readonly Scope[]): (RateClaim & Scope)[] {
  return scopes.flatMap((each) => {
    const { circuitsPerMinute } = each.limits
    if (circuitsPerMinute === null) return []
    return [{ ...each, perSecond: circuitsPerMinute / 60, burst: Math.max(1, circuitsPerMinute * CIRCUIT_BURST_OF_A_MINUTE) }]
  })
}

/** How much of a second's bytes may go at once, and at least one full noise frame. */
const BYTE_BURST_SECONDS = 0.5
const MIN_BYTE_BURST = 64 * 1024

export function byteRateClaims(scopes: readonly Scope[]): (RateClaim & Scope)[] {
  return scopes.flatMap((each) => {
    const { bytesPerSecond } = each.limits
    if (bytesPerSecond === null) return []
    return [{ ...each, perSecond: bytesPerSecond, burst: Math.max(MIN_BYTE_BURST, bytesPerSecond * BYTE_BURST_SECONDS) }]
  })
}

/** Tokens are counted without a limit too: people want to know. */
export function dayClaims(scopes: readonly Scope[]): (DailyClaim & Scope)[] {
  return scopes.flatMap((each) =>
    each.kind === 'token' || each.limits.bytesPerDay !== null ? [{ ...each, maxBytes: each.limits.bytesPerDay }] : [],
  )
}

/**
 * The network that a connection counts for: IPv4 by /24, IPv6 by /48, which is what one customer of a provider gets or can easily have.
 * Undefined for loopback: proxies, tunnels and test programs on this machine bring everybody under its own address, as connection-cap.ts says too.
 */
export function networkOf({ remoteAddr }: Pick<Connection, 'remoteAddr'>): string | undefined {
  let host: string
  try {
    host = getNetConfig(remoteAddr).host
  } catch {
    return undefined
  }
  const key = addressKey(host)
  if (key.startsWith('127.') || host === '::1') return undefined
  if (key.endsWith('::/64')) return `${key.split(':').slice(0, 3).join(':')}::/48`
  const octets = key.split('.')
  return octets.length === 4 ? `${octets.slice(0, 3).join('.')}.0/24` : key
}
