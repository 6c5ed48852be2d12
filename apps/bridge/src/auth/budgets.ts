/**
 * What each token has relayed today (UTC), asked for every chunk that the relay sends: from memory, written down every few seconds.
 * A crash forgets at most USAGE_FLUSH_MS of it, in the token's favour; an orderly stop forgets nothing.
 * Not here: rates (the relay's pump) and what a limit means to a person (tokens.ts).
 */
import type { UsageStore } from '@footbridge/storage/ports'
import { USAGE_FLUSH_MS, USAGE_KEPT_DAYS } from '../limits.ts'

const DAY_MS = 24 * 60 * 60_000

export interface Budgets {
  /** Reads today's use from the store; before a session of this token is admitted. */
  load(tokenId: string): Promise<void>
  /** Takes bytes from today's budget, all or nothing. False: they do not fit, and none were taken. */
  take(tokenId: string, bytesPerDay: number | null, bytes: number): boolean
  usedToday(tokenId: string): Promise<number>
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
  day: string
  /** Everything of that day, written down or not. */
  used: number
  unwritten: number
}

interface Entry {
  readonly tokenId: string
  readonly day: string
  readonly bytes: number
}

export function createBudgets({ storage, clock, onError }: BudgetsDependencies): Budgets {
  // One per token seen today; bounded by the number of tokens, and emptied of yesterday's at each flush.
  const meters = new Map<string, Meter>()
  /** Rest of a day that ended before it was written down: at most one per token between two flushes. */
  const carried: Entry[] = []
  let timer: ReturnType<typeof setInterval> | undefined
  let writing: Promise<void> = Promise.resolve()

  const meterOf = (tokenId: string): Meter => {
    const day = utcDay(clock())
    const present = meters.get(tokenId)
    if (present?.day === day) return present
    if (present !== undefined && present.unwritten > 0) carried.push({ tokenId, day: present.day, bytes: present.unwritten })
    const meter = { day, used: 0, unwritten: 0 }
    meters.set(tokenId, meter)
    return meter
  }

  const write = async (): Promise<void> => {
    const today = utcDay(clock())
    const entries = carried.splice(0)
    for (const [tokenId, meter] of meters) {
      if (meter.unwritten > 0) entries.push({ tokenId, day: meter.day, bytes: meter.unwritten })
      meter.unwritten = 0
      if (meter.day !== today) meters.delete(tokenId)
    }
    for (const [index, { tokenId, day, bytes }] of entries.entries()) {
      try {
        await storage.usage.add(tokenId, day, bytes)
      } catch (error) {
        onError?.(error)
        for (const rest of entries.slice(index)) keep(rest)
        return
      }
    }
  }

  const keep = (entry: Entry): void => {
    const meter = meters.get(entry.tokenId)
    if (meter?.day === entry.day) meter.unwritten += entry.bytes
    else carried.push(entry)
  }

  const flush = (): Promise<void> => {
    writing = writing.then(write)
    return writing
  }

  return {
    async load(tokenId) {
      const day = utcDay(clock())
      if (meters.get(tokenId)?.day === day) return
      const written = await storage.usage.get(tokenId, day)
      // Two loads may race, and midnight may pass: only the first adds what was written, and only to the day it belongs to.
      if (meters.get(tokenId)?.day === day || utcDay(clock()) !== day) return
      meterOf(tokenId).used += written
    },

    take(tokenId, bytesPerDay, bytes) {
      const meter = meterOf(tokenId)
      if (bytesPerDay !== null && meter.used + bytes > bytesPerDay) return false
      meter.used += bytes
      meter.unwritten += bytes
      return true
    },

    async usedToday(tokenId) {
      const day = utcDay(clock())
      const meter = meters.get(tokenId)
      return meter?.day === day ? meter.used : storage.usage.get(tokenId, day)
    },

    start() {
      timer ??= setInterval(() => {
        void flush()
        void storage.usage.removeBefore(utcDay(clock() - USAGE_KEPT_DAYS * DAY_MS)).catch((error: unknown) => onError?.(error))
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

/** `YYYY-MM-DD` in UTC: one day for people in every zone, and no day of 23 or 25 hours. */
export function utcDay(now: number): string {
  return new Date(now).toISOString().slice(0, 10)
}
