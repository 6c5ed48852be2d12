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

  it('gives what is left when that is enough, from every scope or from none', async () => {
    const { budgets } = await open()
    const peer: DayClaim = { kind: 'peer', id: 'alice', key: 'peer:alice', maxBytes: 70 }
    const both = [...claim(100), peer]
    expect(budgets.take(both, 10, 64)).toMatchObject({ state: 'taken', bytes: 64 })
    expect(budgets.take(both, 10, 64)).toEqual({ state: 'short', claim: peer })
    expect(budgets.take(both, 6, 64)).toMatchObject({ state: 'taken', bytes: 6 })
    expect([budgets.countedToday('token:t_1'), budgets.countedToday('peer:alice')]).toEqual([70, 70])
    expect(budgets.take(claim(100), 1, 64)).toMatchObject({ state: 'taken', bytes: 30 })
  })

  it('writes down a token’s day alone, and forgets the day of everybody else at midnight', async () => {
    const { storage, budgets, time } = await open()
    const alice: DayClaim = { kind: 'peer', id: 't_1', key: 'peer:t_1', maxBytes: 100 }
    budgets.take([alice], 100)
    await budgets.flush()
    expect(await storage.usage.get('t_1', '2026-11-21')).toBe(0)
    expect(take(budgets, [alice], 1)).toBe(false)
    expect(budgets.endOfDay()).toBe(Date.UTC(2026, 10, 22))
    time.now = budgets.endOfDay() - 1
    expect(take(budgets, [alice], 1)).toBe(false)
    time.now++
    expect(take(budgets, [alice], 100)).toBe(true)
  })

  it('agrees with a plain sum of what was leased, used and given back, for any order and any number of midnights', async () => {
    const step = fc.oneof(
      fc.record({
        lease: fc.integer({ min: 1, max: 600 }),
        atLeast: fc.integer({ min: 1, max: 600 }),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
      fc.record({ overdraw: fc.integer({ min: 1, max: 50 }) }),
      fc.constantFrom('flush' as const, 'midnight' as const, 'end one' as const),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
        const { storage, time, budgets } = await open()
        const used = new Map<number, number>()
        const leases: { bytes: number; day: number; unused: number }[] = []
        const add = (day: number, bytes: number): void => void used.set(day, (used.get(day) ?? 0) + bytes)
        const end = (lease: (typeof leases)[number] | undefined): void => {
          if (lease === undefined) return
          budgets.giveBack(claim(1_000), lease.unused, lease.day)
          add(lease.day, -lease.unused)
        }
        for (const each of steps) {
          const today = Math.floor(time.now / DAY)
          if (each === 'flush') await budgets.flush()
          else if (each === 'midnight') time.now += DAY
          else if (each === 'end one') end(leases.shift())
          else if ('overdraw' in each) add(budgets.overdraw(claim(1_000), each.overdraw), each.overdraw)
          else {
            const left = 1_000 - (used.get(today) ?? 0)
            const atLeast = Math.min(each.atLeast, each.lease)
            const answer = budgets.take(claim(1_000), atLeast, each.lease)
            expect(answer.state).toBe(left >= atLeast ? 'taken' : 'short')
            if (answer.state === 'short') continue
            expect(answer).toMatchObject({ bytes: Math.min(each.lease, left), day: today })
            add(answer.day, answer.bytes)
            leases.push({ ...answer, unused: Math.floor(answer.bytes * each.share) })
          }
          expect(budgets.countedToday('token:t_1')).toBe(used.get(Math.floor(time.now / DAY)) ?? 0)
        }
        for (const lease of leases) end(lease)
        await budgets.stop()
        for (const [day, bytes] of used) expect(await storage.usage.get('t_1', new Date(day * DAY).toISOString().slice(0, 10))).toBe(bytes)
      }),
      { numRuns: 300 },
    )
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
