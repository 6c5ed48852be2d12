/**
 * How fast each scope uses something: a token bucket per scope, for circuits and for bytes alike. `take` is all or nothing; `draw` may go into debt, for what
 * is already in hand, and says how long the debt lasts.
 * Not here: how many at once (count-book.ts), and whose buckets they are (scopes.ts).
 */
export interface RateClaim {
  readonly key: string
  readonly perSecond: number
  /** What may be taken at once after a rest. */
  readonly burst: number
}

export type RateAnswer<Claim> = { readonly state: 'taken' } | { readonly state: 'short'; readonly claim: Claim; readonly waitMs: number }

/** `claim` is the scope in the deepest debt; undefined when there is none. */
export interface Debt<Claim> {
  readonly waitMs: number
  readonly claim: Claim | undefined
}

export interface RateBook {
  /** Takes from every scope or from none; a refusal names the scope that takes longest to have enough. */
  take<Claim extends RateClaim>(claims: readonly Claim[], amount: number): RateAnswer<Claim>
  /** Takes from every scope, into debt if need be; an amount of 0 asks how long the present debt lasts. */
  draw<Claim extends RateClaim>(claims: readonly Claim[], amount: number): Debt<Claim>
  /** What was drawn and not used. */
  giveBack(claims: readonly RateClaim[], amount: number): void
  /** Forgets buckets that are full again. */
  sweep(): void
  readonly size: number
}

const ROUNDING_MS = 1e-6

interface Bucket {
  level: number
  burst: number
  perSecond: number
  at: number
}

export function createRateBook({ now }: { readonly now: () => number }): RateBook {
  const buckets = new Map<string, Bucket>()

  const refill = (bucket: Bucket, at: number): void => {
    // A clock set back gives nothing and takes nothing.
    bucket.level = Math.min(bucket.burst, bucket.level + (Math.max(0, at - bucket.at) / 1_000) * bucket.perSecond)
    bucket.at = at
  }

  const bucketOf = ({ key, perSecond, burst }: RateClaim, at: number): Bucket => {
    let bucket = buckets.get(key)
    if (bucket === undefined) buckets.set(key, (bucket = { level: burst, burst, perSecond, at }))
    refill(bucket, at)
    // The rate may have changed since the bucket was made: from now on it is the new one.
    bucket.perSecond = perSecond
    bucket.burst = burst
    bucket.level = Math.min(bucket.level, burst)
    return bucket
  }

  /** Whole milliseconds. What sums of fractions leave over must not cost one more. */
  const timeFor = (missing: number, perSecond: number): number => Math.max(0, Math.ceil((missing / perSecond) * 1_000 - ROUNDING_MS))

  return {
    take(claims, amount) {
      const at = now()
      const own = claims.map((claim) => bucketOf(claim, at))
      let waitMs = 0
      let slowest: (typeof claims)[number] | undefined
      for (const [index, claim] of claims.entries()) {
        const bucketWait = timeFor(amount - (own[index]?.level ?? 0), claim.perSecond)
        if (bucketWait > waitMs) [waitMs, slowest] = [bucketWait, claim]
      }
      if (slowest !== undefined) return { state: 'short', claim: slowest, waitMs }
      for (const bucket of own) bucket.level -= amount
      return { state: 'taken' }
    },
    draw(claims, amount) {
      const at = now()
      let waitMs = 0
      let deepest: (typeof claims)[number] | undefined
      for (const claim of claims) {
        const bucket = bucketOf(claim, at)
        bucket.level -= amount
        const bucketWait = timeFor(-bucket.level, claim.perSecond)
        if (bucketWait > waitMs) [waitMs, deepest] = [bucketWait, claim]
      }
      return { waitMs, claim: deepest }
    },
    giveBack(claims, amount) {
      const at = now()
      for (const claim of claims) {
        const bucket = bucketOf(claim, at)
        bucket.level = Math.min(bucket.burst, bucket.level + amount)
      }
    },
    sweep() {
      const at = now()
      for (const [key, bucket] of buckets) {
        refill(bucket, at)
        if (bucket.level >= bucket.burst) buckets.delete(key)
      }
    },
    get size() {
      return buckets.size
    },
  }
}
