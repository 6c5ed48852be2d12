import { expect, test } from 'vitest'
import { clockWords, drainingWords, endingWords, heldWords } from './notices.ts'

const noon = new Date(2026, 10, 21, 12).getTime()
const held = { limit: 'bytes_per_day', scope: 'token', shownUntil: 0 } as const

test('a limit is told with its end and whose it is', () => {
  expect(heldWords({ ...held, until: noon + 60_000 }, noon)).toMatch(/^What may go .* until 12:01: a limit of your token\. /)
  expect(heldWords({ ...held, until: noon + 86_400_000 }, noon)).toContain('until 22 November, 12:00')
  expect(heldWords({ ...held, until: undefined }, noon)).toContain('for now')
})

test('a cut is told ahead with the seconds left, and after with its time', () => {
  const ending = { peer: 'p', reason: 'duration', at: noon } as const
  expect(endingWords(ending, 'Bob', noon - 9_500)).toContain('path to Bob ends in 10 s')
  expect(endingWords(ending, 'Bob', noon + 1)).toContain('was ended at 12:00')
})

test('a restart counts down, and a bridge that closes says so', () => {
  expect(drainingWords({ reconnectAt: noon, backBy: noon }, noon - 4_000)).toContain('in 4 s')
  expect(drainingWords({ reconnectAt: noon, backBy: noon }, noon)).toContain('now')
  expect(drainingWords({ reconnectAt: noon, backBy: undefined }, noon)).toContain('closes')
})

test.each([
  [400, 'Right, within 1 s'],
  [-29_000, 'Right, within 29 s'],
  [45_000, '45 s behind'],
  [-7 * 60_000, '7 min ahead'],
  [3 * 3_600_000, '3 h behind'],
])('a bridge that is %d ms ahead gives "%s"', (skewMs, words) => {
  expect(clockWords(skewMs)).toContain(words)
})
