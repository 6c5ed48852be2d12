import { expect, test } from 'vitest'
import { decideUpgrade, MAX_ATTEMPTS_PER_PAGE, MAX_CONCURRENT_ATTEMPTS, retryDelayMs, type UpgradeFacts } from './upgrade-policy.ts'

const facts: UpgradeFacts = {
  isSupported: true,
  isDialler: true,
  isForced: false,
  attempts: 0,
  attemptsRunning: 0,
  directConnections: 0,
  failure: undefined,
}

test.each<[Partial<UpgradeFacts>, string, string]>([
  [{}, 'try', 'nothing speaks against it'],
  [{ isSupported: false, isForced: true }, 'unsupported', 'asking does not make a browser of a server'],
  [{ isDialler: false }, 'leave-to-other', 'two diallers make two connections'],
  [{ isDialler: false, isForced: true }, 'try', 'the person asked'],
  [{ failure: { retryAt: 11 } }, 'wait', 'it failed a moment ago'],
  [{ failure: { retryAt: 10 } }, 'try', 'the wait is over'],
  [{ failure: { retryAt: 11 }, isForced: true }, 'try', 'the person asked'],
  [{ attempts: MAX_ATTEMPTS_PER_PAGE, isForced: true }, 'wait', 'the browser counts'],
  [{ attemptsRunning: MAX_CONCURRENT_ATTEMPTS }, 'wait', 'others are being tried'],
])('%o → %s (%s)', (change, decision) => {
  expect(decideUpgrade({ ...facts, ...change }, 10)).toBe(decision)
})

test('each failure in a row waits longer, an hour at most', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 100].map(retryDelayMs)).toEqual([2_000, 8_000, 32_000, 128_000, 512_000, 2_048_000, 3_600_000, 3_600_000])
})
