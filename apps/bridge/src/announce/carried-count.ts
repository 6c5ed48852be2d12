/** How many records are carried, in all and for each token, without going through all of them at each new one. */
export interface CarriedCount {
  /** Whether one more of this token may be carried; that of the peer itself does not count. */
  hasRoom(peer: string, tokenId: string): boolean
  /** @param tokenId undefined: it is not carried any more. */
  set(peer: string, tokenId: string | undefined): void
}

export function createCarriedCount({
  maxPeers,
  maxPeersPerToken,
}: {
  readonly maxPeers: number
  readonly maxPeersPerToken: number
}): CarriedCount {
  const tokenOf = new Map<string, string>()
  const ofToken = new Map<string, number>()

  const add = (tokenId: string, change: 1 | -1): void => {
    const count = (ofToken.get(tokenId) ?? 0) + change
    if (count === 0) ofToken.delete(tokenId)
    else ofToken.set(tokenId, count)
  }

  return {
    hasRoom(peer, tokenId) {
      const own = tokenOf.get(peer)
      const others = tokenOf.size - (own === undefined ? 0 : 1)
      const othersOfToken = (ofToken.get(tokenId) ?? 0) - (own === tokenId ? 1 : 0)
      return others < maxPeers && othersOfToken < maxPeersPerToken
    },
    set(peer, tokenId) {
      const before = tokenOf.get(peer)
      if (before === tokenId) return
      if (before !== undefined) add(before, -1)
      if (tokenId === undefined) tokenOf.delete(peer)
      else {
        tokenOf.set(peer, tokenId)
        add(tokenId, 1)
      }
    },
  }
}
