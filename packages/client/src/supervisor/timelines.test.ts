/** The supervisor and its watch together, from the trouble to the reservation, on a clock of the test's own. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { HOUR_MS, World } from './test-world.ts'

const WANTED_MS = 2_000

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
  // Not among the timers that are faked; the deadline of a dial is one of these.
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
    const end = new AbortController()
    setTimeout(() => end.abort(new DOMException('too late', 'TimeoutError')), ms)
    return end.signal
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

/** Online for `afterMs`, so that the trouble finds the watch at any point of its round. */
async function arrive(chance: number, afterMs: number): Promise<World> {
  const world = new World(chance)
  const arrived = world.supervisor.start('given')
  await vi.advanceTimersByTimeAsync(500)
  await arrived
  await vi.advanceTimersByTimeAsync(afterMs)
  expect(world.isReserved).toBe(true)
  return world
}

const phases = [0, 0.5, 1].flatMap((chance) => [0, 130, 470, 2_330, 4_810, 61_990].map((afterMs) => ({ chance, afterMs })))

describe.each(phases)('a device (jitter $chance, online for $afterMs ms) is reserved again within two seconds', ({ chance, afterMs }) => {
  test.each([15, 100])('after a cut of %i s', async (seconds) => {
    using world = await arrive(chance, afterMs)
    world.cut()
    await vi.advanceTimersByTimeAsync(seconds * 1_000)
    expect(world.isReserved).toBe(false)
    world.isCut = false
    expect(await world.msUntilReserved()).toBeLessThanOrEqual(WANTED_MS)
  })

  test('after a sleep of an hour, in which its link died and the bridge forgot it', async () => {
    using world = await arrive(chance, afterMs)
    world.cut()
    world.startBridge()
    // The wall clock goes on, timers and the steady clock stand still.
    vi.setSystemTime(Date.now() + HOUR_MS)
    world.isCut = false
    expect(await world.msUntilReserved()).toBeLessThanOrEqual(WANTED_MS)
    expect(world.logins).toBeGreaterThanOrEqual(2)
  })

  test.each([3, 40])('after the bridge was killed and came back %i s later', async (seconds) => {
    using world = await arrive(chance, afterMs)
    world.stopBridge()
    await vi.advanceTimersByTimeAsync(seconds * 1_000)
    expect(world.connection.get().state).toBe('away')
    world.startBridge()
    expect(await world.msUntilReserved()).toBeLessThanOrEqual(WANTED_MS)
  })

  test('after a restart that was announced, when the time that it named has come', async () => {
    using world = await arrive(chance, afterMs)
    world.supervisor.draining(4_000, 20_000)
    world.stopBridge()
    await vi.advanceTimersByTimeAsync(4_000)
    world.startBridge()
    expect(await world.msUntilReserved()).toBeLessThanOrEqual(WANTED_MS)
  })
})
