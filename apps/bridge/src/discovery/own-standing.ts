/**
 * What the bridge's own addresses are to others: which mean something elsewhere, and whether anybody reaches it at them without a relay. Facts of the node, read when asked.
 * Not here: what is decided from them (reachability.ts), and where the node listens (node/).
 */
import type { NodeAddress } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'
import { MAX_REGISTERED_ADDRESSES } from './limits.ts'
import { withoutPeer } from './peer-addresses.ts'
import { isCircuit, type OwnAddress } from './reachability.ts'

export interface OwnStanding {
  /** For reachability.ts. */
  all(): readonly OwnAddress[]
  /** Those that mean something to peers elsewhere, circuits through relays among them. */
  external(): readonly Multiaddr[]
  /** Of these, what a registration says. */
  registrable(): readonly Multiaddr[]
  /** When AutoNAT last had an answer; undefined for never. */
  lastTest(): number | undefined
}

export function createOwnStanding(dependencies: {
  readonly self: string
  readonly addresses: () => readonly NodeAddress[]
  readonly isOfUse: (address: Multiaddr) => boolean
}): OwnStanding {
  const { self, addresses, isOfUse } = dependencies
  const meansSomething = ({ multiaddr, type }: NodeAddress): boolean => type === 'announce' || isOfUse(multiaddr)

  const external = (): Multiaddr[] =>
    addresses()
      .filter((each) => each.verified && (isCircuit(each.multiaddr.toString()) || meansSomething(each)))
      .map(({ multiaddr }) => multiaddr)

  return {
    all: () => addresses().map((each) => ({ address: each.multiaddr.toString(), verified: each.verified, isOfUse: meansSomething(each) })),
    external,
    registrable: () =>
      external()
        .map((address) => withoutPeer(address, self))
        .slice(0, MAX_REGISTERED_ADDRESSES),
    lastTest() {
      const tests = addresses().flatMap(({ type, lastVerified }) =>
        type === 'observed' && lastVerified !== undefined ? [lastVerified] : [],
      )
      return tests.length === 0 ? undefined : Math.max(...tests)
    },
  }
}
