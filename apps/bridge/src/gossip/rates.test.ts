import { expect, test } from 'vitest'
import { BYTE_BURST_OF_TOKEN, MESSAGE_BURST_OF_TOKEN, MESSAGES_PER_SECOND_OF_TOKEN } from './limits.ts'
import { createRates, type Payer } from './rates.ts'

const token: Payer = { kind: 'token', id: 't_1' }

test('a burst passes, then so many a second', () => {
  let now = 0
  const rates = createRates(() => now)
  const passed = (tries: number): number => Array.from({ length: tries }, () => rates.take(token, 1)).filter(Boolean).length
  expect(passed(2 * MESSAGE_BURST_OF_TOKEN)).toBe(MESSAGE_BURST_OF_TOKEN)
  now += 1_000
  expect(passed(100)).toBe(MESSAGES_PER_SECOND_OF_TOKEN)
  expect(rates.use(token)).toEqual({
    messages: MESSAGE_BURST_OF_TOKEN + MESSAGES_PER_SECOND_OF_TOKEN,
    bytes: MESSAGE_BURST_OF_TOKEN + MESSAGES_PER_SECOND_OF_TOKEN,
    dropped: MESSAGE_BURST_OF_TOKEN + 100 - MESSAGES_PER_SECOND_OF_TOKEN,
  })
})

test('bytes are limited beside messages', () => {
  const rates = createRates(() => 0)
  expect(rates.take(token, BYTE_BURST_OF_TOKEN)).toBe(true)
  expect(rates.take(token, 1)).toBe(false)
})

test('one payer does not pay for another', () => {
  const rates = createRates(() => 0)
  rates.take(token, BYTE_BURST_OF_TOKEN)
  expect(rates.take({ kind: 'token', id: 't_2' }, 1)).toBe(true)
  expect(rates.take({ kind: 'peer', id: 't_1' }, 1)).toBe(true)
})

test('a clock that goes back gives nothing and takes nothing', () => {
  let now = 10_000
  const rates = createRates(() => now)
  for (let index = 0; index < MESSAGE_BURST_OF_TOKEN; index++) rates.take(token, 1)
  now = 0
  expect(rates.take(token, 1)).toBe(false)
  now = 1_000
  expect(rates.take(token, 1)).toBe(true)
})

test('payers are remembered up to a bound, the longest unused are forgotten', () => {
  const rates = createRates(() => 0, 2)
  rates.take(token, 5)
  rates.take({ kind: 'peer', id: 'a' }, 1)
  rates.take({ kind: 'peer', id: 'b' }, 1)
  expect(rates.use(token)).toEqual({ messages: 0, bytes: 0, dropped: 0 })
  expect(rates.total()).toEqual({ messages: 3, bytes: 7, dropped: 0 })
})
