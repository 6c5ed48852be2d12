import type { Connection } from '@libp2p/interface'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createSignsOfLife, type SignsOfLife } from './signs-of-life.ts'

const connection = {} as Connection
let answer: PromiseWithResolvers<number>
let heard: { at: number; times: number } | undefined
let now: number
let signs: SignsOfLife

beforeEach(() => {
  vi.useFakeTimers()
  answer = Promise.withResolvers()
  heard = { at: 0, times: 1 }
  now = 10_000
  const ask = (): Promise<number> | undefined => heard && answer.promise
  signs = createSignsOfLife({ heard: () => heard, ask }, () => now)
})
afterEach(() => vi.useRealTimers())

test('an answer is the round trip, and leaves no timer', async () => {
  const asked = signs.ask(connection)
  answer.resolve(12)
  expect(await asked).toBe(12)
  expect(vi.getTimerCount()).toBe(0)
})

test('bytes that come while the answer waits behind them count as one', async () => {
  const asked = signs.ask(connection)
  heard = { at: now, times: 2 }
  await vi.advanceTimersByTimeAsync(5_000)
  expect(await asked).toBe(5_000)
})

test('silence is no answer', async () => {
  let isAnswered = false
  void signs.ask(connection)?.then(() => (isAnswered = true))
  await vi.advanceTimersByTimeAsync(60_000)
  expect(isAnswered).toBe(false)
})

test('a connection that is not watched is not asked, and was not heard', () => {
  heard = undefined
  expect(signs.ask(connection)).toBeUndefined()
  expect(signs.isJustHeard(connection)).toBe(false)
})

test.each([
  [10_000, true, 'now'],
  [8_000, true, 'a moment ago'],
  [7_000, false, 'too long ago'],
])('heard at %i of 10000: %s, %s', (at, is) => {
  heard = { at, times: 3 }
  expect(signs.isJustHeard(connection)).toBe(is)
})
