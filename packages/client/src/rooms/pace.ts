/**
 * A token bucket: so many at once, so many a second. Pure but for the clock it is given. One for each key; those of the longest unused are forgotten.
 */
export interface Pace {
  /** 0 when one more may go now, and it has gone; else milliseconds until it may. */
  take(key: string): number
}

export function createPace(perSecond: number, burst: number, maxKeys: number, now: () => number): Pace {
  const buckets = new Map<string, { left: number; at: number }>()
  return {
    take(key) {
      const at = now()
      const before = buckets.get(key) ?? { left: burst, at }
      const left = Math.min(burst, before.left + (Math.max(0, at - before.at) / 1000) * perSecond)
      buckets.delete(key)
      buckets.set(key, { left: left >= 1 ? left - 1 : left, at })
      for (const oldest of buckets.keys()) {
        if (buckets.size <= maxKeys) break
        buckets.delete(oldest)
      }
      return left >= 1 ? 0 : Math.ceil(((1 - left) / perSecond) * 1000)
    },
  }
}
