/**
 * Peers found on the discovery topic: where they say that they can be dialled. A hint, no more: whoever answers there proves the key.
 * Capped; forgotten some time after the last word.
 */
import { FOUND_TTL_MS, MAX_FOUND } from './limits.ts'

export interface Found {
  /** @param isOwnWord the peer says so itself; what others say of it is not believed over that */
  put(peer: string, addresses: readonly string[], isOwnWord: boolean): void
  /** With `/p2p/<peer>` at the end; empty for a peer that nobody told of. */
  addresses(peer: string): readonly string[]
}

export function createFound(now: () => number): Found {
  const peers = new Map<string, { readonly addresses: readonly string[]; readonly at: number; readonly isOwnWord: boolean }>()
  return {
    put(peer, addresses, isOwnWord) {
      const before = peers.get(peer)
      if (before?.isOwnWord === true && !isOwnWord && now() - before.at <= FOUND_TTL_MS) return
      peers.delete(peer)
      peers.set(peer, { addresses, at: now(), isOwnWord })
      for (const oldest of peers.keys()) {
        if (peers.size <= MAX_FOUND) break
        peers.delete(oldest)
      }
    },
    addresses(peer) {
      const found = peers.get(peer)
      if (found === undefined || now() - found.at > FOUND_TTL_MS) return []
      return found.addresses.map((address) => (address.endsWith(`/p2p/${peer}`) ? address : `${address}/p2p/${peer}`))
    },
  }
}
