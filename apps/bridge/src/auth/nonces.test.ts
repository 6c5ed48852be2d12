import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createNonces } from './nonces.ts'

describe('nonces', () => {
  it('are refused when there is no room, and room comes back as they go stale', () => {
    let now = 0
    const nonces = createNonces({ clock: () => now, capacity: 2 })
    expect(nonces.use('a', 10)).toBe('fresh')
    expect(nonces.use('b', 20)).toBe('fresh')
    expect(nonces.use('c', 20)).toBe('full')
    expect(nonces.use('a', 10)).toBe('replayed')
    now = 11
    expect(nonces.use('c', 20)).toBe('fresh')
    expect(nonces.use('b', 20)).toBe('replayed')
  })

  it('are never fresh twice while they are good, and never more than the capacity', () => {
    const uses = fc.array(fc.record({ nonce: fc.integer({ min: 0, max: 8 }), wait: fc.nat(5) }))
    fc.assert(
      fc.property(uses, (steps) => {
        let now = 0
        const goodUntil = new Map<number, number>()
        const nonces = createNonces({ clock: () => now, capacity: 4 })
        for (const { nonce, wait } of steps) {
          now += wait
          const result = nonces.use(String(nonce), now + 10)
          if (result === 'fresh') {
            expect(goodUntil.get(nonce) ?? -1).toBeLessThan(now)
            goodUntil.set(nonce, now + 10)
          }
          expect(nonces.size).toBeLessThanOrEqual(4)
        }
      }),
    )
  })
})
