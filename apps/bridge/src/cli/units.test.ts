import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatAge, formatBytes, parseBytes, parseCount, parseExpiry, parseRate } from './units.ts'

const NOW = new Date(2026, 10, 21, 12).getTime()
const DAY = 24 * 60 * 60_000

describe('amounts', () => {
  it.each([
    ['1GB', 1e9],
    ['500 MB', 5e8],
    ['1.5gb', 1.5e9],
    ['1GiB', 2 ** 30],
    ['1024', 1024],
    ['none', null],
    ['Unlimited', null],
  ])('%s is %s bytes', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes)
  })

  it.each(['', 'GB', '-1GB', '1 parsec', '1e9', '1,5GB', '0', '99999999999TB'])('%j is refused', (text) => {
    expect(() => parseBytes(text)).toThrow(/^must be/)
  })

  it('of a rate may end in /s, and bits are refused', () => {
    expect(parseRate('2MB/s')).toBe(2e6)
    expect(parseRate('2 MB / s')).toBe(2e6)
    expect(parseRate('500kB')).toBe(5e5)
    expect(parseRate('none')).toBeNull()
    for (const bits of ['16Mbit/s', '16Mbps']) expect(() => parseRate(bits)).toThrow('bytes, not bits')
    expect(() => parseRate('2MB/h')).toThrow(/^must be/)
  })

  it('are read back from what is shown, within what three figures hide', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e15 }), (bytes) => {
        const back = parseBytes(formatBytes(bytes)) ?? 0
        expect(Math.abs(back - bytes) / bytes).toBeLessThanOrEqual(0.005)
      }),
    )
  })

  it('of nothing and of the next unit are shown plainly', () => {
    expect(formatBytes(0)).toBe('0 B')
    expect(formatBytes(999_999)).toBe('1 MB')
    expect(formatBytes(1_540_000)).toBe('1.54 MB')
  })

  it('never throw anything but a reason, whatever is typed', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const parse of [parseBytes, parseRate, parseCount, (typed: string) => parseExpiry(typed, NOW)]) {
          try {
            const value = parse(text)
            expect(value === null || (Number.isSafeInteger(value) && value > 0)).toBe(true)
          } catch (error) {
            expect(String(error)).toMatch(/^Error: must be/)
          }
        }
      }),
    )
  })
})

describe('an end', () => {
  it.each([
    ['12h', NOW + DAY / 2],
    ['30d', NOW + 30 * DAY],
    ['2w', NOW + 14 * DAY],
    ['1y', NOW + 365 * DAY],
    ['2026-12-31', new Date(2027, 0, 1).getTime() - 1],
    ['2026-11-21', new Date(2026, 10, 22).getTime() - 1],
    ['2026-12-31T10:00:00Z', Date.UTC(2026, 11, 31, 10)],
    ['never', null],
  ])('%s is understood', (text, time) => {
    expect(parseExpiry(text, NOW)).toBe(time)
  })

  it.each(['yesterday', '2026-02-31', '2026-13-01', '30', '30 months', '2026-11-20', '0d', '99999999999d'])('%j is refused', (text) => {
    expect(() => parseExpiry(text, NOW)).toThrow(/^must be/)
  })
})

it('a count is a whole number from one, or none', () => {
  expect(parseCount('5')).toBe(5)
  expect(parseCount('none')).toBeNull()
  for (const text of ['0', '-1', '1.5', 'five', '']) expect(() => parseCount(text)).toThrow(/^must be/)
})

it('an age is told in its largest whole unit', () => {
  expect([0, 59_999, 60_000, 3_600_000, 86_400_000].map(formatAge)).toEqual(['0 s', '59 s', '1 min', '1 h', '1 d'])
})
