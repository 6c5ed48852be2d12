import { createMemoryStorage } from '@footbridge/storage/memory/memory-storage'
import { token } from '@footbridge/storage/contract/storage-contract'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBudgets } from '../auth/budgets.ts'
import { RELAY_LIMITS } from './limits.ts'
import { createMeter, type Charge, type Meter } from './meter.ts'
import { createRateBook } from './rate-book.ts'
import { UNLIMITED, type Scope, type ScopeLimits } from './scopes.ts'

const NOON = Date.UTC(2026, 10, 21, 12)
const PAID: Charge = { state: 'paid', waitMs: 0 }
const CUT_AFTER_MS = 2_000

const scope = (kind: Scope['kind'], id: string, limits: Partial<ScopeLimits> = {}): Scope => ({
  kind,
  id,
  key: `${kind}:${id}`,
  limits: { ...UNLIMITED, ...limits },
  peers: ['alice'],
})

async function open(limits: Partial<typeof RELAY_LIMITS> = {}) {
  const storage = createMemoryStorage()
  await storage.tokens.insert(token('t_1'))
  const time = { now: NOON }
  const now = (): number => time.now
  const budgets = createBudgets({ storage, clock: now })
  const rates = createRateBook({ now })
  const log: string[] = []
  const carried: [number, number] = [0, 0]
  const startMeter = (scopes: readonly Scope[]): Meter =>
    createMeter({
      limits: { ...RELAY_LIMITS, ...limits },
      rates,
      days: budgets,
      now,
      scopes,
      events: {
        throttled: ({ key }) => log.push(`throttled ${key}`),
        exhausted: ({ key }) => {
          log.push(`exhausted ${key}`)
          return time.now + CUT_AFTER_MS
        },
        full: () => log.push('full'),
        carried: (toDestination, toSource) => {
          carried[0] += toDestination
          carried[1] += toSource
        },
      },
    })
  return { storage, time, budgets, rates, log, carried, startMeter }
}

describe('what a circuit’s bytes cost', () => {
  it('is nothing where nothing is limited', async () => {
    const { startMeter, log } = await open()
    expect(startMeter([scope('bridge', '')]).charge(0, 2 ** 30)).toEqual(PAID)
    expect(log).toEqual([])
  })

  it('asks no budget and no rate for a message that the lease covers', async () => {
    const { startMeter, budgets } = await open()
    const meter = startMeter([scope('token', 't_1', { bytesPerDay: 1e9 })])
    meter.charge(0, 200)
    expect(budgets.countedToday('token:t_1')).toBe(RELAY_LIMITS.leaseBytes)
    for (let count = 0; count < 300; count++) expect(meter.charge(1, 200)).toEqual(PAID)
    expect(budgets.countedToday('token:t_1')).toBe(RELAY_LIMITS.leaseBytes)
  })

  it('is exact once the circuit rests or has ended, also across midnight', async () => {
    const { startMeter, budgets, storage, time, carried } = await open()
    const meter = startMeter([scope('token', 't_1', { bytesPerDay: 1e9, bytesPerSecond: 1e9 })])
    meter.charge(0, 200)
    meter.settle(false)
    expect(budgets.countedToday('token:t_1')).toBe(RELAY_LIMITS.leaseBytes)
    meter.settle(false)
    expect(budgets.countedToday('token:t_1')).toBe(200)
    meter.charge(1, 300)
    await budgets.flush()
    time.now += 24 * 60 * 60_000
    meter.settle(true)
    await budgets.stop()
    expect([await storage.usage.get('t_1', '2026-11-21'), await storage.usage.get('t_1', '2026-11-22'), carried]).toEqual([
      500,
      0,
      [200, 300],
    ])
  })

  it('takes what a budget has left, then lets a farewell through, then waits for the cut', async () => {
    const { startMeter, log, time, budgets } = await open()
    const meter = startMeter([scope('token', 't_1', { bytesPerDay: 100_000 })])
    expect(meter.charge(0, 65_536)).toEqual(PAID)
    expect(meter.charge(0, 34_464)).toEqual(PAID)
    expect(log).toEqual([])
    expect(meter.charge(0, 1)).toEqual(PAID)
    expect(log).toEqual(['exhausted token:t_1'])
    expect(meter.charge(1, RELAY_LIMITS.farewellBytes - 1)).toEqual(PAID)
    expect(meter.charge(1, 1)).toEqual({ state: 'paid', waitMs: 1_000 })
    time.now += 1_500
    expect(meter.charge(0, 0)).toEqual({ state: 'paid', waitMs: 500 })
    expect(log).toHaveLength(1)
    meter.settle(true)
    // The farewell and what came after it are counted too.
    expect(budgets.countedToday('token:t_1')).toBe(100_000 + RELAY_LIMITS.farewellBytes + 1)
  })

  it('uses a raised budget at once', async () => {
    const { startMeter } = await open()
    const meter = startMeter([scope('token', 't_1', { bytesPerDay: 10 })])
    expect(meter.charge(0, 60_000)).toMatchObject({ waitMs: 1_000 })
    meter.setScopes([scope('token', 't_1', { bytesPerDay: 1e9 })])
    expect(meter.charge(0, 0)).toEqual(PAID)
    expect(meter.charge(0, 60_000)).toEqual(PAID)
  })

  it('says a long wait in parts, and what is left of it to a charge of nothing', async () => {
    const { startMeter, time, log } = await open()
    const meter = startMeter([scope('peer', 'alice', { bytesPerSecond: 100_000 })])
    expect(meter.charge(0, 265_536)).toEqual({ state: 'paid', waitMs: 1_000 })
    time.now += 1_000
    expect(meter.charge(0, 0)).toEqual({ state: 'paid', waitMs: 1_000 })
    expect(log).toEqual(['throttled peer:alice', 'throttled peer:alice'])
    meter.setScopes([scope('peer', 'alice', { bytesPerSecond: 1_000_000 })])
    expect(meter.charge(0, 0)).toEqual({ state: 'paid', waitMs: 100 })
  })

  it('names the scope that is slowest', async () => {
    const { startMeter, log } = await open()
    const meter = startMeter([scope('token', 't_1', { bytesPerSecond: 1e6 }), scope('bridge', '', { bytesPerSecond: 1e5 })])
    meter.charge(0, 1e6)
    expect(log).toEqual(['throttled bridge:'])
  })

  it('lets neither direction carry more than a circuit may', async () => {
    const { startMeter, log } = await open({ circuitBytes: 1_000 as never })
    const meter = startMeter([])
    expect([meter.charge(0, 1_000), meter.charge(1, 1_000), log]).toEqual([PAID, PAID, []])
    expect(meter.charge(1, 1)).toMatchObject({ state: 'exhausted' })
    expect(log).toEqual(['full'])
  })

  const message = fc.record({ circuit: fc.nat(2), bytes: fc.integer({ min: 1, max: 65_536 }), idleMs: fc.nat(200), direction: fc.nat(1) })

  it('never passes more than the burst, the rate over time, and a lease and a message for each circuit, however it is asked', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 60 }), async (messages) => {
        const world = await open()
        const meters = [0, 1, 2].map(() => world.startMeter([scope('token', 't_1', { bytesPerSecond: 200_000 })]))
        let passed = 0
        for (const { circuit, bytes, idleMs, direction } of messages) {
          const meter = meters[circuit]!
          let charged = meter.charge(direction as 0 | 1, bytes)
          passed += bytes
          expect(passed).toBeLessThanOrEqual(100_000 + ((world.time.now - NOON) / 1_000) * 200_000 + 3 * (25_000 + 65_536) + 1)
          while (charged.state === 'paid' && charged.waitMs > 0) {
            world.time.now += charged.waitMs
            charged = meter.charge(direction as 0 | 1, 0)
          }
          world.time.now += idleMs
          if (idleMs > 150) meter.settle(false)
          world.rates.sweep()
        }
      }),
      { numRuns: 200 },
    )
  })

  it('never passes more of a day than the budget, the farewells and the messages in hand, and counts every byte of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 60 }), fc.integer({ min: 1, max: 500_000 }), async (messages, budget) => {
        const world = await open()
        const meters = [0, 1, 2].map(() => world.startMeter([scope('token', 't_1', { bytesPerDay: budget })]))
        let passed = 0
        const waiting = new Set<string>()
        for (const { circuit, bytes, direction } of messages) {
          // A pump that was told to wait until the cut sends nothing more.
          if (waiting.has(`${circuit} ${direction}`)) continue
          const charged = meters[circuit]!.charge(direction as 0 | 1, bytes)
          passed += bytes
          if (charged.state === 'paid' && charged.waitMs > 0) waiting.add(`${circuit} ${direction}`)
        }
        expect(passed).toBeLessThanOrEqual(budget + 3 * (RELAY_LIMITS.farewellBytes + 2 * 65_536))
        for (const meter of meters) meter.settle(true)
        expect(world.budgets.countedToday('token:t_1')).toBe(passed)
      }),
      { numRuns: 200 },
    )
  })
})
