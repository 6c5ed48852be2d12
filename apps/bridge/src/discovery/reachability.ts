/**
 * Whether others can reach the bridge without a relay. Pure. AutoNAT itself is libp2p's: it asks peers to dial an address and marks those that answered.
 * Unreachable is what stays after a while with peers who would have told: libp2p reports no failure, it only never confirms.
 */

export type Reachability = 'unknown' | 'reachable' | 'unreachable'

export interface OwnAddress {
  readonly address: string
  /** By AutoNAT, by the operator, or because it is an interface's own. */
  readonly verified: boolean
  /** Whether it means something to a peer elsewhere: it is public, or in a range that the operator opened. */
  readonly isOfUse: boolean
}

export interface ReachabilityFacts {
  readonly own: readonly OwnAddress[]
  /** When the first connection of our own making opened; undefined while there was none. */
  readonly outSince: number | undefined
  readonly graceMs: number
}

export function decideReachability({ own, outSince, graceMs }: ReachabilityFacts, now: number): Reachability {
  if (own.some(({ address, verified, isOfUse }) => verified && isOfUse && !isCircuit(address))) return 'reachable'
  return outSince !== undefined && now - outSince >= graceMs ? 'unreachable' : 'unknown'
}

export function isCircuit(address: string): boolean {
  return /\/p2p-circuit(\/|$)/.test(address)
}
