import { expect, test } from 'vitest'
import { formatRate, formatSize } from './size.ts'
import { formatAgo, formatClock, formatDay, formatDuration, formatHere, formatRoundTrip, secondsUntil } from './time.ts'

test.each([
  [0, '0 bytes'],
  [1, '1 byte'],
  [999, '999 bytes'],
  [1536, '1.5 KB'],
  [2000, '2 KB'],
  [52_428_800, '52 MB'],
  [1_250_000_000, '1.3 GB'],
])('%d bytes read as %s', (bytes, words) => expect(formatSize(bytes)).toBe(words))

test('rates are always in MB/s', () => {
  expect(formatRate(4_200_000)).toBe('4.2 MB/s')
  expect(formatRate(42_000)).toBe('0.04 MB/s')
  expect(formatRate(120_000_000)).toBe('120 MB/s')
})

test('times are relative up to a day, then dates', () => {
  const now = new Date(2026, 10, 21, 12, 0).getTime()
  expect(formatAgo(now + 5000, now)).toBe('just now')
  expect(formatAgo(now - 59_000, now)).toBe('just now')
  expect(formatAgo(now - 12 * 60_000, now)).toBe('12 min ago')
  expect(formatAgo(now - 23 * 3_600_000, now)).toBe('23 h ago')
  expect(formatAgo(now - 25 * 3_600_000, now)).toBe('20 November')
  expect(formatAgo(new Date(2025, 0, 2).getTime(), now)).toBe('2 January 2025')
})

test('days of a conversation are named by the calendar, not by hours', () => {
  const now = new Date(2026, 10, 21, 0, 10).getTime()
  expect(formatDay(now, now)).toBe('Today')
  expect(formatDay(now - 20 * 60_000, now)).toBe('Yesterday')
  expect(formatDay(new Date(2026, 10, 1).getTime(), now)).toBe('1 November')
})

test('short times read as milliseconds, long ones as seconds', () => {
  expect(formatRoundTrip(0.3)).toBe('1 ms')
  expect(formatRoundTrip(undefined)).toBe('measuring')
  expect(formatDuration(84.4)).toBe('84 ms')
  expect(formatDuration(1234)).toBe('1.2 s')
  expect(formatClock(new Date(2026, 10, 21, 9, 5).getTime())).toBe('09:05')
})

test('a countdown never goes below zero', () => {
  expect(secondsUntil(10_500, 10_000)).toBe(1)
  expect(secondsUntil(9000, 10_000)).toBe(0)
})

test('how long somebody has been here is told in the same steps', () => {
  const now = new Date(2026, 10, 21, 12, 0).getTime()
  expect(formatHere(now, now)).toBe('just arrived')
  expect(formatHere(now - 52 * 60_000, now)).toBe('here 52 min')
  expect(formatHere(now - 3 * 3_600_000, now)).toBe('here 3 h')
  expect(formatHere(now - 48 * 3_600_000, now)).toBe('here since 19 November')
})
