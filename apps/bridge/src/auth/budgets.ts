/**
 * What each scope (a token, a peer, an address, the bridge) has relayed today (UTC). The relay takes bytes in leases and gives back what it did not use.
 * A token's day is written down every few seconds and read again at a restart: a crash forgets at most USAGE_FLUSH_MS of it, in the token's favour, an
 * orderly stop forgets nothing. The days of peers, addresses and the bridge are kept in memory and begin anew at a restart.
 * Not here: rates (relay/rate-book.ts) and what a limit means to a person (tokens.ts).
 */
import type { UsageStore } from '@footbridge/storage/ports'
import { MAX_DAILY_METERS, USAGE_FLUSH_MS, USAGE_KEPT_DAYS } from '../limits.ts'

const DAY_MS = 24 * 60 * 60_000

/** One scope that pays. `key` is unique over all kinds; a token's day is written down under its `id`. */
export interface DayClaim {
  readonly kind: 'token' | 'peer' | 'address' | 'bridge'
  readonly id: string
  readonly key: string
  /** null: no limit; only counted. */
  readonly maxBytes: number | null
}

/** Days since the epoch, UTC: one day for people in every zone, and no day of 23 or 25 hours. */
export type Day = number

export type DayAnswer<Claim> =
  | { readonly state: 'taken'; readonly bytes: number; readonly day: Day }
  | { readonly state: 'short'; readonly claim: Claim }

export interface Budgets {
  /** Reads today's use from the store; before a session of this token is admitted. */
  load(tokenId: string): Promise<void>
  /** Takes `wantedBytes` from every budget, or what all of them have left if that is at least `atLeastBytes`; else nothing from any. */
  take<Claim extends DayClaim>(claims: readonly Claim[], atLeastBytes: number, wantedBytes?: number): DayAnswer<Claim>
  /** Counts bytes beyond what is left: those that a circuit needs to say farewell. */
  overdraw(claims: readonly DayClaim[], bytes: number): Day
  /** Bytes of a lease that were not used, on the day that it was taken. */
  giveBack(claims: readonly DayClaim[], bytes: number, day: Day): void
  /** Today's end, in milliseconds since the epoch. */
  endOfDay(): number
  usedToday(tokenId: string): Promise<number>
  /** Counted now, without reading the store: 0 for a token that has not been loaded. */
  countedToday(key: string): number
  /** Starts writing down by itself. Idempotent. */
  start(): void
  /** Writes down what is not yet. What fails to be written is kept for the next time. */
  flush(): Promise<void>
  /** Writes down the rest. Idempotent. */
  stop(): Promise<void>
}

export interface BudgetsDependencies {
  readonly storage: { readonly usage: UsageStore }
  readonly clock: () => number
  /** Told when writing down failed; the bytes stay counted in memory. */
  readonly onError?: (error: unknown) => void
}

interface Meter {
  readonly tokenId: string | undefined
  day: Day
  /** Everything of that day, written down or not. */
  used: number
  unwritten: number
}

interface Entry {
  readonly tokenId: string
  readonly day: Day
  readonly bytes: number
}

export const tokenKey = (tokenId: string): string => `token:${tokenId}`

export function createBudgets({ storage, clock, onError }: BudgetsDependencies): Budgets {
  /** By key. Emptied of yesterday's at each flush; beyond MAX_DAILY_METERS the oldest that is no token's is forgotten. */
  const meters = new Map<string, Meter>()
  /** Rest of a day that ended before it was written down: at most a few per token between two flushes. */
  const carried: Entry[] = []
  let timer: ReturnType<typeof setInterval> | undefined
  let writing: Promise<void> = Promise.resolve()

  const today = (): Day => Math.floor(clock() / DAY_MS)

  const carry = (tokenId: string | undefined, day: Day, bytes: number): void => {
    if (tokenId !== undefined && bytes !== 0) carried.push({ tokenId, day, bytes })
  }

  const makeRoom = (): void => {
    if (meters.size < MAX_DAILY_METERS) return
    for (const [key, { tokenId }] of meters) {
      if (tokenId !== undefined) continue
      meters.delete(key)
      return
    }
  }

  const meterOf = (key: string, tokenId: string | undefined, day: Day): Meter => {
    const present = meters.get(key)
    if (present?.day === day) return present
    if (present === undefined) makeRoom()
    else carry(tokenId, present.day, present.unwritten)
    const meter = { tokenId, day, used: 0, unwritten: 0 }
    meters.set(key, meter)
    return meter
  }

  const metersOf = (claims: readonly DayClaim[], day: Day): Meter[] =>
    claims.map(({ kind, id, key }) => meterOf(key, kind === 'token' ? id : undefined, day))

  const add = (meter: Meter, bytes: number): void => {
    meter.used += bytes
    if (meter.tokenId !== undefined) meter.unwritten += bytes
  }

  const write = async (): Promise<void> => {
    const day = today()
    const entries = carried.splice(0)
    for (const [key, meter] of meters) {
      if (meter.tokenId !== undefined && meter.unwritten !== 0)
        entries.push({ tokenId: meter.tokenId, day: meter.day, bytes: meter.unwritten })
      meter.unwritten = 0
      if (meter.day !== day) meters.delete(key)
    }
    for (const [index, entry] of entries.entries()) {
      try {
        await storage.usage.add(entry.tokenId, dayText(entry.day), entry.bytes)
      } catch (error) {
        onError?.(error)
        for (const rest of entries.slice(index)) keep(rest)
        return
      }
    }
  }

  const keep = ({ tokenId, day, bytes }: Entry): void => {
    const meter = meters.get(tokenKey(tokenId))
    if (meter?.day === day) meter.unwritten += bytes
    else carry(tokenId, day, bytes)
  }

  const flush = (): Promise<void> => {
    writing = writing.then(write)
    return writing
  }

  return {
    async load(tokenId) {
      const key = tokenKey(tokenId)
      const day = today()
      if (meters.get(key)?.day === day) return
      const written = await storage.usage.get(tokenId, dayText(day))
      // Two loads may race, and midnight may pass: only the first adds what was written, and only to the day it belongs to.
      if (meters.get(key)?.day === day || today() !== day) return
      meterOf(key, tokenId, day).used += written
    },

    take(claims, atLeastBytes, wantedBytes = atLeastBytes) {
      const day = today()
      const own = metersOf(claims, day)
      let bytes = wantedBytes
      for (const [index, claim] of claims.entries()) {
        if (claim.maxBytes === null) continue
        const left = claim.maxBytes - (own[index]?.used ?? 0)
        if (left < atLeastBytes) return { state: 'short', claim }
        bytes = Math.min(bytes, left)
      }
      for (const meter of own) add(meter, bytes)
      return { state: 'taken', bytes, day }
    },

    overdraw(claims, bytes) {
      const day = today()
      for (const meter of metersOf(claims, day)) add(meter, bytes)
      return day
    },

    giveBack(claims, bytes, day) {
      for (const { kind, id, key } of claims) {
        const meter = meters.get(key)
        if (meter?.day === day) add(meter, -bytes)
        else carry(kind === 'token' ? id : undefined, day, -bytes)
      }
    },

    endOfDay: () => (today() + 1) * DAY_MS,

    async usedToday(tokenId) {
      const day = today()
      const meter = meters.get(tokenKey(tokenId))
      return meter?.day === day ? meter.used : storage.usage.get(tokenId, dayText(day))
    },

    countedToday(key) {
      const meter = meters.get(key)
      return meter?.day === today() ? meter.used : 0
    },

    start() {
      timer ??= setInterval(() => {
        void flush()
        void storage.usage.removeBefore(dayText(today() - USAGE_KEPT_DAYS)).catch((error: unknown) => onError?.(error))
      }, USAGE_FLUSH_MS).unref()
    },

    flush,

    async stop() {
      clearInterval(timer)
      timer = undefined
      await flush()
    },
  }
}

function dayText(day: Day): string {
  return utcDay(day * DAY_MS)
}

/** `YYYY-MM-DD` in UTC. */
export function utcDay(now: number): string {
  return new Date(now).toISOString().slice(0, 10)
}
