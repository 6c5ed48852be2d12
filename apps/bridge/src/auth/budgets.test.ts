import fc from 'fast-check'
import { createMemoryStorage } from '@footbridge/storage/memory/memory-storage'
import { token } from '@footbridge/storage/contract/storage-contract'
import { describe, expect, it } from 'vitest'
import { createBudgets, tokenKey, type Budgets, type DayClaim } from './budgets.ts'

const NOON = Date.UTC(2026, 10, 21, 12)
const DAY = 24 * 60 * 60_000

/** Of the token t_1. */
const claim = (maxBytes: number | null, id = 't_1') => [{ kind: 'token' as const, id, key: tokenKey(id), maxBytes }]

/** All of it or nothing. */
const take = (budgets: Budgets, claims: readonly DayClaim[], bytes: number): boolean => budgets.take(claims, bytes).state === 'taken'

async function open() {
  const storage = { ...createMemoryStorage() }
  await storage.tokens.insert(token('t_1'))
  const time = { now: NOON }
  const errors: unknown[] = []
  const budgets = createBudgets({ storage, clock: () => time.now, onError: (error) => errors.push(error) })
  return { storage, time, budgets, errors }
}

describe('a daily budget', () => {
  it('is taken whole or not at all', async () => {
    const { budgets } = await open()
    expect(take(budgets, claim(100), 60)).toBe(true)
    expect(take(budgets, claim(100), 41)).toBe(false)
    expect(take(budgets, claim(100), 40)).toBe(true)
    expect(take(budgets, claim(100), 1)).toBe(false)
    expect(await budgets.usedToday('t_1')).toBe(100)
  })

  it('counts without a limit too', async () => {
    const { budgets } = await open()
    expect(take(budgets, claim(null), 5e12)).toBe(true)
    expect(await budgets.usedToday('t_1')).toBe(5e12)
  })

  it('begins with what was written down before, however often it is loaded', async () => {
    const { storage, budgets } = await open()
    await storage.usage.add('t_1', '2026-11-21', 90)
    await Promise.all([budgets.load('t_1'), budgets.load('t_1')])
    await budgets.load('t_1')
    expect(take(budgets, claim(100), 11)).toBe(false)
    expect(take(budgets, claim(100), 10)).toBe(true)
  })

  it('begins anew at midnight UTC, and yesterday’s rest is written under yesterday', async () => {
    const { storage, time, budgets } = await open()
    take(budgets, claim(100), 100)
    time.now += DAY
    expect(take(budgets, claim(100), 70)).toBe(true)
    await budgets.stop()
    expect(await storage.usage.get('t_1', '2026-11-21')).toBe(100)
    expect(await storage.usage.get('t_1', '2026-11-22')).toBe(70)
  })

  it('keeps what could not be written for the next time', async () => {
    const { storage, budgets, errors } = await open()
    const { usage } = storage
    const fault = { ...usage, add: () => Promise.reject(new Error('disk full')) }
    storage.usage = fault
    take(budgets, claim(100), 30)
    await budgets.flush()
    expect(errors).toHaveLength(1)
    expect(take(budgets, claim(100), 71)).toBe(false)
    storage.usage = usage
    await budgets.stop()
    await budgets.stop()
    expect(await storage.usage.get('t_1', '2026-11-21')).toBe(30)
  })

  it('writes down exactly what was taken, for any order of taking, flushing and days passing', async () => {
    const step = fc.oneof(
      fc.record({ take: fc.nat(1_000) }),
      fc.constant('flush' as const),
      fc.constant('midnight' as const),
      fc.constant('load' as const),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { storage, time, budgets } = await open()
        const taken = new Map<string, number>()
        for (const action of steps) {
          const day = new Date(time.now).toISOString().slice(0, 10)
          if (action === 'flush') void budgets.flush()
          else if (action === 'midnight') time.now += DAY
          else if (action === 'load') await budgets.load('t_1')
          else if (take(budgets, claim(2_000), action.take)) taken.set(day, (taken.get(day) ?? 0) + action.take)
        }
        await budgets.stop()
        for (const [day, bytes] of taken) {
          expect(await storage.usage.get('t_1', day)).toBe(bytes)
          expect(bytes).toBeLessThanOrEqual(2_000)
        }
      }),
    )
  })
})
