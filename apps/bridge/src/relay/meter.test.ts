import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createMeter } from './meter.ts'
import type { RelayAccount } from './relay.ts'

const account = (bytesPerSecond: number | null, budget = Number.POSITIVE_INFINITY): RelayAccount => {
  let left = budget
  return {
    id: 'alice',
    bytesPerSecond,
    take: (bytes) => {
      if (bytes > left) return false
      left -= bytes
      return true
    },
  }
}

describe('meter', () => {
  it('lets an unlimited account go on at once', () => {
    const meter = createMeter({ now: () => 0 })
    expect(meter.charge([account(null)], 2 ** 30)).toEqual({ state: 'paid', waitMs: 0 })
  })

  it('makes whoever went past the burst wait until the debt is paid', () => {
    let now = 0
    const meter = createMeter({ now: () => now })
    const alice = account(1_000_000)
    expect(meter.charge([alice], 500_000)).toEqual({ state: 'paid', waitMs: 0 })
    expect(meter.charge([alice], 250_000)).toEqual({ state: 'paid', waitMs: 250 })
    now += 250
    expect(meter.charge([alice], 1)).toEqual({ state: 'paid', waitMs: 1 })
  })

  it('says a long wait in parts, and what is left of it to a charge of nothing', () => {
    let now = 0
    const meter = createMeter({ now: () => now })
    const alice = account(100_000)
    expect(meter.charge([alice], 265_536)).toEqual({ state: 'paid', waitMs: 1_000 })
    now += 1_000
    expect(meter.charge([alice], 0)).toEqual({ state: 'paid', waitMs: 1_000 })
    // The operator raises the limit: what is owed is paid sooner.
    expect(meter.charge([account(1_000_000)], 0)).toEqual({ state: 'paid', waitMs: 100 })
  })

  it('shares one rate between circuits of one account', () => {
    const meter = createMeter({ now: () => 0 })
    meter.charge([account(1_000_000)], 500_000)
    expect(meter.charge([account(1_000_000)], 100_000)).toEqual({ state: 'paid', waitMs: 100 })
  })

  it('says whose budget is used up', () => {
    const meter = createMeter({ now: () => 0 })
    expect(meter.charge([account(null), account(null, 10)], 11)).toEqual({ state: 'exhausted', account: 'alice' })
  })

  it('never passes more than the burst and the rate over time, however it is asked', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 70_000 }), idleMs: fc.nat(200) }), { maxLength: 60 }),
        (messages) => {
          let now = 0
          let passed = 0
          const meter = createMeter({ now: () => now })
          const alice = account(100_000)
          for (const { bytes, idleMs } of messages) {
            const charged = meter.charge([alice], bytes)
            passed += bytes
            for (let wait = charged; wait.state === 'paid' && wait.waitMs > 0; wait = meter.charge([alice], 0)) now += wait.waitMs
            // A bucket holds 64 KiB; whatever was sent is paid for before the next message.
            expect(passed).toBeLessThanOrEqual(65_536 + (now / 1_000) * 100_000 + 1)
            now += idleMs
            meter.sweep()
          }
        },
      ),
    )
  })
})
