import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createReopen } from './reopen.ts'

beforeEach(() => void vi.useFakeTimers({ now: 0 }))
afterEach(() => void vi.useRealTimers())

const setUp = (own: string) => {
  const circuits = new Set<string>()
  const back = new Set<string>()
  const dials: string[] = []
  const reopen = createReopen({
    own,
    now: () => Date.now(),
    hasCircuit: (peer) => circuits.has(peer),
    async dial(peer) {
      dials.push(peer)
      if (!back.has(peer)) throw new Error('not back')
      circuits.add(peer)
    },
  })
  return { reopen, circuits, back, dials }
}

test('circuits that went with the bridge are made again when both are back, by one side', async () => {
  const [alice, bob] = [setUp('a'), setUp('b')]
  alice.reopen.lost('b')
  bob.reopen.lost('a')
  alice.reopen.bridgeBack()
  await vi.advanceTimersByTimeAsync(10)
  expect(alice.dials, 'bob is not back').toEqual(['b'])
  bob.reopen.bridgeBack()
  alice.back.add('b')
  alice.reopen.came('b')
  await vi.advanceTimersByTimeAsync(10)
  bob.circuits.add('a')
  await vi.advanceTimersByTimeAsync(10_000)
  expect([alice.dials, bob.dials]).toEqual([['b', 'b'], []])
  alice.reopen.came('b')
  await vi.advanceTimersByTimeAsync(10_000)
  expect(alice.dials).toHaveLength(2)
})

test('the other side dials when the first one has not', async () => {
  const bob = setUp('b')
  bob.reopen.lost('a')
  bob.back.add('a')
  bob.reopen.bridgeBack()
  await vi.advanceTimersByTimeAsync(3_100)
  expect(bob.dials).toEqual(['a'])
})

test('at most thirty are wanted, one after another, for five minutes', async () => {
  const alice = setUp('a')
  for (let n = 0; n < 100; n++) alice.reopen.lost(`b${n}`)
  alice.reopen.bridgeBack()
  await vi.advanceTimersByTimeAsync(150)
  expect(alice.dials).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(alice.dials).toHaveLength(30)
  await vi.advanceTimersByTimeAsync(5 * 60_000)
  alice.reopen.came('b1')
  await vi.advanceTimersByTimeAsync(10)
  expect(alice.dials).toHaveLength(30)
  alice.reopen.stop()
})
