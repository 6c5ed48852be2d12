/** Multiaddrs with and without the id of their peer at the end. Pure. */
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'

/** Those of the settings, each ending in its `/p2p/`, by peer; our own are left out. */
export function addressesByPeer(addresses: readonly string[], self: string): Map<string, string[]> {
  const peers = new Map<string, string[]>()
  for (const address of addresses) {
    const peer = multiaddr(address)
      .getComponents()
      .findLast(({ name }) => name === 'p2p')?.value
    if (peer !== undefined && peer !== self) peers.set(peer, [...(peers.get(peer) ?? []), address])
  }
  return peers
}

export function withPeer(address: Multiaddr, peer: string): Multiaddr {
  return endsIn(address, peer) ? address : address.encapsulate(`/p2p/${peer}`)
}

export function withoutPeer(address: Multiaddr, peer: string): Multiaddr {
  return endsIn(address, peer) ? address.decapsulate(`/p2p/${peer}`) : address
}

function endsIn(address: Multiaddr, peer: string): boolean {
  const last = address.getComponents().at(-1)
  return last?.name === 'p2p' && last.value === peer
}
