import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createNotices, type Notices } from './notices.ts'

const limits = { bytesPerSecond: null, bytesPerDay: 1000, bytesUsedToday: 10, circuits: 5, circuitsPerMinute: null }
let notices: Notices

beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
  notices = createNotices(() => Date.now())
  // The bridge is a minute ahead; the welcome took 200 ms both ways.
  notices.take({ type: 'welcome', now: 59_900, limits }, 200)
})
afterEach(() => {
  notices.stop()
  vi.useRealTimers()
})

test('a welcome says how far the clock is off, and what the session may use', () => {
  expect(notices.current.get()).toMatchObject({ clockSkewMs: 60_000, limits })
  notices.take({ type: 'limits', limits: { ...limits, circuits: 9 } }, 0)
  expect(notices.current.get().limits?.circuits).toBe(9)
})

test('a limit shows with its end by this clock, once for each kind, and goes when it is over', () => {
  for (const until of [62_000, 63_000]) notices.take({ type: 'held', limit: 'bytes_per_second', scope: 'token', until }, 0)
  expect(notices.current.get().held).toEqual([{ limit: 'bytes_per_second', scope: 'token', until: 3_000, shownUntil: 3_000 }])
  vi.advanceTimersByTime(3_100)
  expect(notices.current.get().held).toEqual([])
})

test('a limit whose end nobody knows shows while the bridge repeats it', () => {
  notices.take({ type: 'held', limit: 'circuits', scope: 'peer', until: null }, 0)
  vi.advanceTimersByTime(8_000)
  notices.take({ type: 'held', limit: 'circuits', scope: 'peer', until: null }, 0)
  vi.advanceTimersByTime(8_000)
  expect(notices.current.get().held).toHaveLength(1)
  vi.advanceTimersByTime(3_000)
  expect(notices.current.get().held).toEqual([])
})

test('a circuit that is cut shows with its reason, and for a minute after', () => {
  notices.take({ type: 'ending', peer: 'bob', reason: 'bytes_per_day', at: 65_000 }, 0)
  expect(notices.current.get().ending).toEqual([{ peer: 'bob', reason: 'bytes_per_day', at: 5_000 }])
  vi.advanceTimersByTime(66_000)
  expect(notices.current.get().ending).toEqual([])
})

test('a restart shows until the bridge is back', () => {
  notices.take({ type: 'draining', reconnectInMs: 4_000, awayMs: 2_000 }, 0)
  expect(notices.current.get().draining).toEqual({ reconnectAt: 4_000, backBy: 4_000 })
  notices.take({ type: 'draining', reconnectInMs: 4_000, awayMs: null }, 0)
  expect(notices.current.get().draining).toEqual({ reconnectAt: 4_000, backBy: undefined })
  notices.clear()
  expect(notices.current.get()).toMatchObject({ draining: undefined, held: [], clockSkewMs: 60_000 })
})

test('however much the bridge tells, little is kept', () => {
  for (let n = 0; n < 1000; n++) notices.take({ type: 'ending', peer: `peer ${n}`, reason: 'stalled', at: 60_000 }, 0)
  expect(notices.current.get().ending).toHaveLength(16)
})
