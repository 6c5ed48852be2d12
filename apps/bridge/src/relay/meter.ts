/**
 * Budgets and rates of circuits. Every account that pays for a circuit is charged for every byte, both directions; a rate is a token bucket that all
 * circuits of the account share and that may go into debt by one message: the circuit then reads nothing until the debt is paid.
 * Not here: what an account may use (auth/budgets.ts) and how a pump waits (pump.ts).
 */
import type { RelayAccount } from './relay.ts'

/**
 * Says what a message costs: how long to wait before the next one, or that the budget is used up. `waitMs` is at most MAX_WAIT_MS; when it is over, a charge
 * of 0 bytes says how much longer, so that a limit changed meanwhile takes effect at once.
 */
export type Charge = { readonly state: 'paid'; readonly waitMs: number } | { readonly state: 'exhausted'; readonly account: string }

export interface Meter {
  charge(accounts: readonly RelayAccount[], bytes: number): Charge
  /** Forgets buckets that are full again. */
  sweep(): void
}

/** How much of a second's rate may be used at once, and at least one full noise frame. */
const BURST_SECONDS = 0.5
const MIN_BURST_BYTES = 64 * 1024
/** How late a pump that waits learns that its limit was raised. */
const MAX_WAIT_MS = 1_000

interface Bucket {
  level: number
  capacity: number
  bytesPerSecond: number
  at: number
}

export function createMeter(options: { readonly now: () => number }): Meter {
  const { now } = options
  const buckets = new Map<string, Bucket>()

  const refill = (bucket: Bucket, at: number): void => {
    bucket.level = Math.min(bucket.capacity, bucket.level + (Math.max(0, at - bucket.at) / 1_000) * bucket.bytesPerSecond)
    bucket.at = at
  }

  const draw = (id: string, bytesPerSecond: number, bytes: number): number => {
    const at = now()
    const capacity = Math.max(MIN_BURST_BYTES, bytesPerSecond * BURST_SECONDS)
    const bucket = buckets.get(id) ?? { level: capacity, capacity, bytesPerSecond, at }
    buckets.set(id, bucket)
    refill(bucket, at)
    // The rate may have changed since the bucket was made.
    bucket.bytesPerSecond = bytesPerSecond
    bucket.capacity = capacity
    bucket.level -= bytes
    return bucket.level >= 0 ? 0 : Math.ceil((-bucket.level / bytesPerSecond) * 1_000)
  }

  return {
    charge(accounts, bytes) {
      let waitMs = 0
      for (const account of accounts) {
        if (!account.take(bytes)) return { state: 'exhausted', account: account.id }
        if (account.bytesPerSecond !== null) waitMs = Math.max(waitMs, draw(account.id, Math.max(1, account.bytesPerSecond), bytes))
      }
      return { state: 'paid', waitMs: Math.min(waitMs, MAX_WAIT_MS) }
    },
    sweep() {
      const at = now()
      for (const [id, bucket] of buckets) {
        refill(bucket, at)
        if (bucket.level >= bucket.capacity) buckets.delete(id)
      }
    },
  }
}
