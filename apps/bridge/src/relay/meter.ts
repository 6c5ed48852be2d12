/**
 * What a circuit's bytes cost. Every scope that pays for the circuit pays for every byte of both directions: a day's budget, and a rate that is a token
 * bucket. The circuit takes them in leases, so that a message costs one subtraction; what a lease has left is given back when the circuit rests or ends.
 *
 * How exact: a scope never relays more than its budget, but for `farewellBytes` and one message a direction of each of its circuits running when it ran out,
 * which are counted; of its rate at most one lease a circuit is ahead. What `usedToday` says is ahead of what was relayed by at most one lease a circuit.
 * Not here: how a pump waits (pump.ts), the end of a circuit (circuits.ts), whose scopes (scopes.ts).
 */
import type { RelayLimits } from './limits.ts'
import type { RateBook, RateClaim } from './rate-book.ts'
import type { DailyBudgets, DailyClaim } from './relay.ts'
import { byteRateClaims, dayClaims, type Scope } from './scopes.ts'

/**
 * Says what a message costs: how long to wait before the next one, or that it must not be sent and the circuit ends. `waitMs` is at most MAX_WAIT_MS; when it
 * is over, a charge of 0 bytes says how much longer, so that a limit changed meanwhile takes effect at once.
 */
export type Charge = { readonly state: 'paid'; readonly waitMs: number } | { readonly state: 'exhausted'; readonly account: string }

/** How late a pump that waits learns that its limit was raised. */
const MAX_WAIT_MS = 1_000
/** A lease is this part of a second of the slowest rate, so that a slow circuit does not wait long for a lease to be paid. */
const LEASE_SECONDS = 1 / 8
const MIN_LEASE_BYTES = 4 * 1024

const LATE_CUT_MS = 100

const PAID: Charge = Object.freeze({ state: 'paid', waitMs: 0 })

export interface MeterEvents {
  /** A rate makes the circuit wait. */
  throttled(scope: Scope, waitMs: number): void
  /** A day's budget is used up. @returns when the circuit will be cut, in milliseconds since the epoch. */
  exhausted(scope: Scope): number
  /** One direction has carried as much as a circuit may. */
  full(): void
  /** Bytes carried since the last time, by direction. */
  carried(toDestination: number, toSource: number): void
}

export interface Meter {
  /** 0: to the destination; 1: to the source. For a pump's `charge`. */
  charge(direction: 0 | 1, bytes: number): Charge
  /** Both directions, up to now. */
  readonly bytes: number
  /** Uses other limits, or other scopes, from now on. */
  setScopes(scopes: readonly Scope[]): void
  /** Gives the unused lease back when nothing was carried since the last call; at the end, always. */
  settle(isEnd: boolean): void
}

export interface MeterOptions {
  readonly limits: RelayLimits
  readonly rates: RateBook
  readonly days: DailyBudgets
  readonly now: () => number
  readonly scopes: readonly Scope[]
  readonly events: MeterEvents
}

export function createMeter({ limits, rates, days, now, scopes, events }: MeterOptions): Meter {
  const carried: [number, number] = [0, 0]
  let rateClaims: readonly (RateClaim & Scope)[] = []
  let ownDays: readonly (DailyClaim & Scope)[] = []
  let leaseSize = 0
  /** Bytes that are paid for and not carried yet; below zero is what a farewell owes. */
  let left = 0
  let day = 0
  /** When the circuit will be cut, once a budget is used up. */
  let cutAt: number | undefined
  let entered = [0, 0]
  let restedAt = 0

  const setScopes = (given: readonly Scope[]): void => {
    rateClaims = byteRateClaims(given)
    ownDays = dayClaims(given)
    const slowest = Math.min(...rateClaims.map(({ perSecond }) => perSecond))
    leaseSize = Math.max(MIN_LEASE_BYTES, Math.min(limits.leaseBytes, Math.floor(slowest * LEASE_SECONDS)))
  }

  const wait = (ms: number): Charge => (ms <= 0 ? PAID : { state: 'paid', waitMs: Math.min(ms, MAX_WAIT_MS) })

  /** The cut may come a moment late; nobody reads on in between. */
  const waitForCut = (at: number): Charge => wait(Math.max(at - now(), LATE_CUT_MS))

  const enter = (): void => {
    const [toDestination, toSource] = carried
    const since = [toDestination - (entered[0] ?? 0), toSource - (entered[1] ?? 0)] as const
    if (since[0] + since[1] > 0) events.carried(...since)
    entered = [toDestination, toSource]
  }

  const throttle = (amount: number): Charge => {
    if (rateClaims.length === 0) return PAID
    const { waitMs, claim } = rates.draw(rateClaims, amount)
    if (claim !== undefined) events.throttled(claim, Math.min(waitMs, MAX_WAIT_MS))
    return wait(waitMs)
  }

  /** The lease does not cover what was carried: takes another. */
  const renew = (): Charge => {
    enter()
    if (cutAt !== undefined) return waitForCut(cutAt)
    const short = -left
    const lease = days.take(ownDays, short, Math.max(short, leaseSize))
    if (lease.state === 'taken') {
      left += lease.bytes
      day = lease.day
      return throttle(lease.bytes)
    }
    cutAt = events.exhausted(lease.claim)
    day = days.overdraw(ownDays, limits.farewellBytes)
    left += limits.farewellBytes
    return left >= 0 ? PAID : waitForCut(cutAt)
  }

  setScopes(scopes)

  return {
    charge(direction, bytes) {
      if (bytes === 0) return cutAt !== undefined && left < 0 ? waitForCut(cutAt) : throttle(0)
      carried[direction] += bytes
      if (carried[direction] > limits.circuitBytes) {
        events.full()
        return { state: 'exhausted', account: 'this circuit' }
      }
      left -= bytes
      return left >= 0 ? PAID : renew()
    },
    get bytes() {
      return carried[0] + carried[1]
    },
    setScopes(given) {
      giveBack()
      setScopes(given)
      // A budget that was raised is used again; whoever announced the cut takes it back.
      cutAt = undefined
    },
    settle(isEnd) {
      enter()
      const total = carried[0] + carried[1]
      if (isEnd || restedAt === total) giveBack()
      restedAt = total
    },
  }

  function giveBack(): void {
    if (left < 0) {
      // Messages that came after the farewell was used up.
      days.overdraw(ownDays, -left)
    } else if (left > 0) {
      days.giveBack(ownDays, left, day)
      if (cutAt === undefined) rates.giveBack(rateClaims, left)
    }
    left = 0
  }
}
