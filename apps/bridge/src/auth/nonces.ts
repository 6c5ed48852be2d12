/**
 * Nonces of the logins whose timestamps are still good, so that a login that somebody copied is good once.
 * Not here: how far a timestamp may be off (shared/limits.ts).
 */
export interface Nonces {
  /** `fresh` the first time; `replayed` for a nonce that is remembered; `full` when there is no room to remember it. */
  use(nonce: string, goodUntil: number): 'fresh' | 'replayed' | 'full'
  readonly size: number
}

export function createNonces({ clock, capacity }: { readonly clock: () => number; readonly capacity: number }): Nonces {
  const remembered = new Map<string, number>()

  const forgetStale = (): void => {
    const now = clock()
    for (const [nonce, goodUntil] of remembered) if (goodUntil < now) remembered.delete(nonce)
  }

  return {
    use(nonce, goodUntil) {
      if (remembered.has(nonce)) return 'replayed'
      // Looking through all of them only when full keeps a login cheap.
      if (remembered.size >= capacity) forgetStale()
      if (remembered.size >= capacity) return 'full'
      remembered.set(nonce, goodUntil)
      return 'fresh'
    },
    get size() {
      return remembered.size
    },
  }
}
