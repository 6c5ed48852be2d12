/** Races on the clock of the test, over lines that are a few numbers (test-line.ts). */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { HopKind } from './hop-kind.ts'
import type { HopError } from './hop-error.ts'
import { startRace, type Race, type Win } from './race.ts'
import { Line, type Link, type Network } from './test-line.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
})
afterEach(() => {
  vi.useRealTimers()
})

async function run(race: Race<Link>, ms = 20_000): Promise<Win<Link>> {
  const won = race.won
  won.catch(() => undefined)
  await vi.advanceTimersByTimeAsync(ms)
  return won
}

const works: Network = { webtransport: 'works', websocket: 'works', tunnel: 'works' }

describe.each([1, 20, 80, 150, 300, 600])('with a round trip of %i ms', (roundTripMs) => {
  test.each<[HopKind, Partial<Network>]>([
    ['webtransport', {}],
    ['websocket', { webtransport: 'hangs' }],
    ['websocket', { webtransport: 'is refused' }],
    ['tunnel', { webtransport: 'hangs', websocket: 'hangs' }],
    ['tunnel', { webtransport: 'is refused', websocket: 'is refused' }],
  ])('%s comes in where %o', async (kind, fates) => {
    const line = new Line({ ...works, ...fates }, roundTripMs)
    const win = await run(line.race())
    expect(win.kind).toBe(kind)
    expect(line.links.filter(({ isOpen }) => isOpen)).toEqual([win.link])
    expect(line.open.size).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
  })
})

test.each([1, 50, 100, 200])('a device that only has the tunnel is in well before three seconds, at %i ms', async (roundTripMs) => {
  const line = new Line({ webtransport: 'hangs', websocket: 'hangs', tunnel: 'works' }, roundTripMs)
  expect((await run(line.race())).ms).toBeLessThan(2_300)
})

test('what won before comes in first where it still works, and the others begin behind it', async () => {
  const line = new Line({ ...works, tunnel: 'hangs' }, 100)
  expect(await run(line.race('websocket'))).toMatchObject({ kind: 'websocket' })
  expect(line.begun).toEqual([
    ['websocket', 0],
    ['webtransport', 250],
  ])
  expect(await run(line.race('tunnel'))).toMatchObject({ kind: 'webtransport' })
})

test('a race says of each hop that it passed what held it up', async () => {
  const line = new Line({ webtransport: 'is refused', websocket: 'hangs', tunnel: 'works' }, 10)
  const { missed } = await run(line.race())
  expect(missed.map(({ kind, hung }) => [kind, hung])).toEqual([
    ['webtransport', false],
    ['websocket', true],
  ])
})

test('when all fail, the error says of each what broke', async () => {
  const line = new Line({ webtransport: 'is refused', websocket: 'is refused', tunnel: 'is refused' }, 10)
  const error = await run(line.race()).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(AggregateError)
  expect((error as AggregateError).errors.map(String)).toEqual([
    'HopError: webtransport: refused (10 ms)',
    'HopError: websocket: refused (10 ms)',
    'HopError: tunnel: refused (10 ms)',
  ])
})

test('a race that is called off leaves nothing behind and says who hung', async () => {
  const line = new Line({ webtransport: 'is refused', websocket: 'hangs', tunnel: 'hangs' }, 10)
  const race = line.race()
  race.won.catch(() => undefined)
  await vi.advanceTimersByTimeAsync(2_000)
  race.callOff(new Error('no more patience'))
  const error = await race.won.catch((reason: unknown) => reason)
  expect((error as AggregateError).errors.map((each: HopError) => [each.kind, each.hung])).toEqual([
    ['webtransport', false],
    ['websocket', true],
    ['tunnel', true],
  ])
  await vi.advanceTimersByTimeAsync(10)
  expect([line.open.size, vi.getTimerCount()]).toEqual([0, 0])
})

test('a hop that becomes possible and won before begins at once', async () => {
  const line = new Line({ webtransport: 'hangs', websocket: 'hangs', tunnel: 'works' }, 20)
  const race = line.race(undefined, ['webtransport', 'websocket'])
  await vi.advanceTimersByTimeAsync(100)
  race.add('tunnel', true)
  await run(race)
  expect(line.begun).toEqual([
    ['webtransport', 0],
    ['tunnel', 100],
  ])
})

test('a link that comes in after the end is cut', async () => {
  const late = Promise.withResolvers<Link>()
  const quick: Link = { kind: 'websocket', isOpen: true }
  const slow: Link = { kind: 'webtransport', isOpen: true }
  const race = startRace<Link>({
    kinds: ['webtransport', 'websocket'],
    dial: async (kind) => (kind === 'websocket' ? quick : late.promise),
    discard: (link) => (link.isOpen = false),
    now: Date.now,
  })
  expect((await run(race)).link).toBe(quick)
  late.resolve(slow)
  await vi.advanceTimersByTimeAsync(1)
  expect([quick.isOpen, slow.isOpen]).toEqual([true, false])
})

test('a hop that becomes possible in the course of a race begins when it would have, or now', async () => {
  const line = new Line({ webtransport: 'hangs', websocket: 'hangs', tunnel: 'works' }, 20)
  const [early, late] = [line.race(undefined, ['webtransport', 'websocket']), line.race(undefined, ['webtransport', 'websocket'])]
  await vi.advanceTimersByTimeAsync(300)
  early.add('tunnel', false)
  await vi.advanceTimersByTimeAsync(4_700)
  late.add('tunnel', false)
  await Promise.all([run(early), run(late)])
  expect(line.begun.filter(([kind]) => kind === 'tunnel').map(([, at]) => at)).toEqual([1_200, 5_000])
})
