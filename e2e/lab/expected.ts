/**
 * What the networks let through, by the rules of NAT and nothing of the product's: which first hops can work, and whether two people can have a direct path.
 * Pure. A cell of the table that says otherwise has failed.
 */
import type { Network } from './networks.ts'

export type Hop = 'webtransport' | 'websocket' | 'tunnel'
export type PathKind = 'direct' | 'relayed'

/** The first hops that work from there, best first. */
export function hopsFrom({ outbound, proxy }: Pick<Network, 'outbound' | 'proxy'>): readonly [Hop, ...Hop[]] {
  if (outbound === 'everything') return ['webtransport', 'websocket', 'tunnel']
  return proxy === 'intercepting' || proxy === 'reverse' ? ['tunnel'] : ['websocket', 'tunnel']
}

/** What two people's datagrams, or two native peers' connections, are made of. */
export type Carrier = 'udp' | 'tcp'

/**
 * Whether packets sent by both at once, each to where somebody outside saw the other, meet. They do not when one side's port is another for every destination
 * and the other side lets in only what comes from the port it has sent to. Browsers know only datagrams; native peers open TCP connections in this way, too.
 */
export function pathBetween(one: Network, other: Network, carrier: Carrier = 'udp'): PathKind {
  const lets = ({ outbound }: Network): boolean => outbound === 'everything' || (carrier === 'tcp' && outbound === 'no-udp')
  if (!lets(one) || !lets(other)) return 'relayed'
  const isOpen = ({ nat, inbound }: Network): boolean =>
    (carrier === 'udp' && nat === 'full-cone') || (nat === 'none' && inbound === 'everything')
  if (one.nat === 'symmetric') return isOpen(other) ? 'direct' : 'relayed'
  if (other.nat === 'symmetric') return isOpen(one) ? 'direct' : 'relayed'
  return 'direct'
}
