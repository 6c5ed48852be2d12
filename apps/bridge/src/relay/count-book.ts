/**
 * How many of something each scope holds at once: reservations, circuits. Takes a place in every scope asked for or in none, and gives each back exactly
 * once, however often it is told to.
 * Not here: how often (rate-book.ts), and whose places they are (scopes.ts).
 */
export interface CountClaim {
  readonly key: string
  /** null is unlimited. A limit that fell below what is held refuses new places and takes none away. */
  readonly max: number | null
}

/** Places taken. `release`, or the end of a `using` block, gives them back; again changes nothing. */
export interface Hold extends Disposable {
  release(): void
}

export type CountAnswer<Claim> = { readonly state: 'taken'; readonly hold: Hold } | { readonly state: 'full'; readonly claim: Claim }

export interface CountBook {
  /** Keys must differ from one another. The first full scope is named. */
  take<Claim extends CountClaim>(claims: readonly Claim[]): CountAnswer<Claim>
  count(key: string): number
  /** Scopes that hold anything. */
  readonly size: number
}

export function createCountBook(): CountBook {
  const counts = new Map<string, number>()

  const giveBack = (key: string): void => {
    const left = (counts.get(key) ?? 0) - 1
    if (left > 0) counts.set(key, left)
    else counts.delete(key)
  }

  return {
    take(claims) {
      const full = claims.find(({ key, max }) => max !== null && (counts.get(key) ?? 0) >= max)
      if (full !== undefined) return { state: 'full', claim: full }
      for (const { key } of claims) counts.set(key, (counts.get(key) ?? 0) + 1)
      let held = true
      const release = (): void => {
        if (!held) return
        held = false
        for (const { key } of claims) giveBack(key)
      }
      return { state: 'taken', hold: { release, [Symbol.dispose]: release } }
    },
    count: (key) => counts.get(key) ?? 0,
    get size() {
      return counts.size
    },
  }
}
