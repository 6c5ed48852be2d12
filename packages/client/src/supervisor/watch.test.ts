import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { compareClocks } from './clock-watch.ts'
import { judgeLink } from './link-watch.ts'
import { createWatch, type Watch } from './watch.ts'

let bytes: { at: number; times: number }
let heard: string[]
let wallAhead: number
let watch: Watch
/** What the other side does with a question. */
let answers: () => Promise<unknown>

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 })
  bytes = { at: steady(), times: 0 }
  heard = []
  wallAhead = 0
  answers = async () => arrive()
  const note = (what: string) => (): void => void heard.push(`${what} ${(steady() / 1000).toFixed(1)}`)
  watch = createWatch({
    clocks: () => ({ wall: Date.now() + wallAhead, steady: steady() }),
    random: () => 0.5,
    heard: () => bytes,
    ask: () => answers(),
    onDoubt: note('doubt'),
    onHeard: note('heard'),
    onDead: note('dead'),
    onSlept: (ms) => heard.push(`slept ${Math.round(ms / 1000)}`),
    onSetBack: (ms) => heard.push(`set back ${Math.round(ms / 1000)}`),
  })
})
afterEach(() => {
  watch.stop()
  vi.useRealTimers()
})

const steady = (): number => Date.now() - 1_000_000
const arrive = (): void => void (bytes = { at: steady(), times: bytes.times + 1 })

test('an idle link that answers is never doubted', async () => {
  await vi.advanceTimersByTimeAsync(10 * 60_000)
  expect(heard).toEqual([])
})

test('a silent link is doubted within eight seconds and dead within twenty', () => {
  answers = () => new Promise(() => undefined)
  vi.advanceTimersByTime(30_000)
  expect(heard.slice(0, 2)).toEqual(['doubt 8.0', 'dead 19.0'])
})

test('a link that carries bytes is not doubted, though it answers no question', () => {
  answers = () => new Promise(() => undefined)
  const busy = setInterval(arrive, 3_000)
  vi.advanceTimersByTime(60_000)
  clearInterval(busy)
  expect(heard).toEqual([])
})

test('a link that was doubted is trusted again when it answers, not when bytes come in, and does not die while they do', async () => {
  const answer = Promise.withResolvers<void>()
  answers = () => answer.promise
  await vi.advanceTimersByTimeAsync(9_000)
  const busy = setInterval(arrive, 3_000)
  await vi.advanceTimersByTimeAsync(20_000)
  clearInterval(busy)
  expect(heard).toEqual(['doubt 8.0'])
  answer.resolve()
  await vi.advanceTimersByTimeAsync(0)
  expect(heard).toEqual(['doubt 8.0', 'heard 29.0'])
})

test('in a hurry a silent link is doubted within a second', () => {
  answers = () => new Promise(() => undefined)
  watch.hurry()
  vi.advanceTimersByTime(900)
  expect(heard).toEqual(['doubt 0.7'])
})

test('in a hurry a link that answers stays, and is then asked at leisure again', async () => {
  answers = () => new Promise((resolve) => setTimeout(() => resolve(arrive()), 300))
  watch.hurry()
  await vi.advanceTimersByTimeAsync(20_000)
  expect(heard).toEqual([])
})

test('a sleep is told once, and its silence is not held against the link', async () => {
  vi.advanceTimersByTime(3_000)
  vi.setSystemTime(Date.now() + 3_600_000)
  await vi.advanceTimersByTimeAsync(5_000)
  expect(heard).toEqual(['slept 3600'])
})

test('a clock that is set back is told', () => {
  vi.advanceTimersByTime(2_000)
  wallAhead = -3_600_000
  vi.advanceTimersByTime(5_000)
  expect(heard).toEqual(['set back 3600'])
})

test.each<[string, { wall: number; steady: number }, { slept: boolean; setBack: boolean }]>([
  ['a tick in time', { wall: 1_000, steady: 1_000 }, { slept: false, setBack: false }],
  ['a busy main thread', { wall: 4_500, steady: 4_500 }, { slept: false, setBack: false }],
  ['sleep where the steady clock stands still', { wall: 60_000, steady: 1_000 }, { slept: true, setBack: false }],
  ['sleep where it runs on', { wall: 60_000, steady: 60_000 }, { slept: true, setBack: false }],
  ['a frozen page whose clock was set back meanwhile', { wall: -60_000, steady: 60_000 }, { slept: true, setBack: true }],
  ['a correction by the time service', { wall: 400, steady: 1_000 }, { slept: false, setBack: false }],
])('%s', (_, now, { slept, setBack }) => {
  const news = compareClocks({ wall: 0, steady: 0 }, now)
  expect([news.sleptMs > 0, news.setBackMs > 0]).toEqual([slept, setBack])
})

test('links opened together are not asked together', () => {
  const askedAfter = (random: number): number => {
    let now = 0
    while (judgeLink({ heardAt: 0, askedAt: undefined, isHurried: false, random }, now) === 'alive') now += 100
    return now
  }
  expect([askedAfter(0), askedAfter(0.5)]).toEqual([4_000, 5_000])
})
