/** Which first hop an address is for: the kind is read from the address, here and nowhere else. */
import type { FirstHop } from '../api.ts'

type HopKind = FirstHop['kind']

/** Undefined for what no browser dials. */
export function hopKind(address: string): HopKind | undefined {
  // A circuit belongs to whoever it leads to.
  if (address.includes('/p2p-circuit')) return undefined
  if (address.includes('/webtransport')) return 'webtransport'
  if (/\/wss?(\/|$)/.test(address)) return 'websocket'
  return address.includes('/http-path/') ? 'tunnel' : undefined
}
