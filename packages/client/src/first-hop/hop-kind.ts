/** Which first hop an address is for: the kind is read from the address, here and nowhere else. */
import type { FirstHop } from '../api.ts'

export type HopKind = FirstHop['kind']

/** A bridge that is reached under two names has two addresses of each kind. */
const MAX_ADDRESSES_OF_A_KIND = 2

/** Undefined for what no browser dials. */
export function hopKind(address: string): HopKind | undefined {
  // A circuit belongs to whoever it leads to.
  if (address.includes('/p2p-circuit')) return undefined
  if (address.includes('/webtransport')) return 'webtransport'
  if (/\/wss?(\/|$)/.test(address)) return 'websocket'
  return address.includes('/http-path/') ? 'tunnel' : undefined
}

/** The first of each kind. */
export function byKind(addresses: readonly string[]): Map<HopKind, readonly string[]> {
  const sorted = new Map<HopKind, readonly string[]>()
  for (const address of addresses) {
    const kind = hopKind(address)
    if (kind === undefined) continue
    const before = sorted.get(kind) ?? []
    if (before.length < MAX_ADDRESSES_OF_A_KIND) sorted.set(kind, [...before, address])
  }
  return sorted
}
