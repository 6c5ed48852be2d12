import { createMemoryStorage } from '@footbridge/storage/memory/memory-storage'
import { describe, expect, it } from 'vitest'
import { createBudgets, type Budgets } from '../auth/budgets.ts'
import { createBeside, type Beside } from './beside.ts'
import { createRateBook, type RateBook } from './rate-book.ts'
import { UNLIMITED, type ScopeLimits } from './scopes.ts'
import { NO_BRIDGE_LIMITS, openPolicy } from './test-policy.ts'

const DAY_MS = 24 * 60 * 60_000

interface Stage {
  readonly beside: Beside
  readonly budgets: Budgets
  readonly rates: RateBook
  readonly told: string[]
  readonly time: { now: number }
  /** Of the one token, which alice and bob share and charlie has not. */
  limits: Partial<ScopeLimits>
}

function open(limits: Partial<ScopeLimits>, peer: Partial<ScopeLimits> = {}): Stage {
  const time = { now: 1_000 * DAY_MS }
  const now = (): number => time.now
  const budgets = createBudgets({ storage: createMemoryStorage(), clock: now })
  const rates = createRateBook({ now })
  const told: string[] = []
  const stage: Stage = {
    limits,
    budgets,
    rates,
    told,
    time,
    beside: createBeside({
      policy: openPolicy({
        days: budgets,
        limits: () => ({ ...NO_BRIDGE_LIMITS, peer: { ...UNLIMITED, ...peer } }),
        tokenOf: (id) => (id === 'charlie' ? undefined : { id: 't_1', limits: { ...UNLIMITED, ...stage.limits } }),
      }),
      rates,
      events: { held: (id, { limit, scope, until }) => told.push(`${id} ${limit} ${scope} ${(until ?? 0) - time.now}`) },
      now,
    }),
  }
  return stage
}

describe('what passes beside circuits', () => {
  it('counts for its token’s day, whichever of its peers it is of, with a limit or without', () => {
    const { beside, budgets } = open({})
    expect([beside.charge('alice', 300), beside.charge('bob', 200), beside.charge('charlie', 1_000)]).toEqual([true, true, true])
    expect(budgets.countedToday('token:t_1')).toBe(500)
  })

  it('ends with the day’s budget, its peer is told until when, and begins again with the next day', () => {
    const { beside, budgets, told, time } = open({ bytesPerDay: 500 })
    expect(beside.charge('alice', 400)).toBe(true)
    expect(beside.charge('bob', 200)).toBe(false)
    expect(told).toEqual([`bob bytes_per_day token ${DAY_MS}`])
    expect(budgets.countedToday('token:t_1')).toBe(400)
    // What is left is enough for less, and no reason to give more of what was refused.
    expect([beside.charge('bob', 100), beside.mayPass('bob'), beside.charge('bob', 1)]).toEqual([true, false, false])
    time.now += DAY_MS
    expect([beside.mayPass('bob'), beside.charge('bob', 200)]).toEqual([true, true])
  })

  it('passes again at once when the limit is raised', () => {
    const stage = open({ bytesPerDay: 1 })
    expect([stage.beside.charge('alice', 2), stage.beside.mayPass('alice')]).toEqual([false, false])
    stage.limits = { bytesPerDay: 100 }
    expect([stage.beside.mayPass('alice'), stage.beside.charge('alice', 2)]).toEqual([true, true])
  })

  it('is drawn from the rate of circuits, and stops while that is owed more than a second', () => {
    const { beside, budgets, rates, told, time } = open({ bytesPerSecond: 100_000 })
    const claim = { key: 'token:t_1', perSecond: 100_000, burst: 65_536 }
    rates.draw([claim], 65_536 + 90_000)
    expect(beside.charge('alice', 50_000)).toBe(true)
    expect(rates.draw([claim], 0).waitMs).toBe(1_400)
    expect([beside.charge('alice', 1), beside.mayPass('alice')]).toEqual([false, false])
    expect([told, budgets.countedToday('token:t_1')]).toEqual([['alice bytes_per_second token 1400'], 50_000])
    time.now += 400
    expect([beside.mayPass('alice'), beside.charge('alice', 1)]).toEqual([true, true])
  })

  it('counts for a peer without a token where the operator limits peers', () => {
    const { beside, told } = open({}, { bytesPerDay: 10 })
    expect([beside.charge('charlie', 11), beside.charge('charlie', 10)]).toEqual([false, true])
    expect(told).toEqual([`charlie bytes_per_day peer ${DAY_MS}`])
  })

  it('is not remembered of a peer that has gone', () => {
    const { beside } = open({ bytesPerDay: 1 })
    beside.charge('alice', 2)
    expect(beside.mayPass('alice')).toBe(false)
    beside.forget('alice')
    expect(beside.mayPass('alice')).toBe(true)
  })
})
