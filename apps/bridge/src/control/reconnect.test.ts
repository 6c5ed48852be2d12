import fc from 'fast-check'
import { expect, it } from 'vitest'
import { reconnectInMs } from './reconnect.ts'

it('spreads the return after a restart over the sessions, and keeps nobody away for more than half a minute', () => {
  expect(reconnectInMs({ afterMs: 2_000, sessions: 1, random: 0 })).toBe(2_000)
  expect(reconnectInMs({ afterMs: 2_000, sessions: 1, random: 0.999 })).toBe(2_006)
  expect(reconnectInMs({ afterMs: 0, sessions: 1_000, random: 0.5 })).toBe(3_000)
  fc.assert(
    fc.property(
      fc.nat(5_000),
      fc.nat(1_000_000),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (afterMs, sessions, random) => {
        const ms = reconnectInMs({ afterMs, sessions, random })
        expect(ms).toBeGreaterThanOrEqual(afterMs)
        expect(ms).toBeLessThanOrEqual(afterMs + 30_000)
      },
    ),
  )
})
