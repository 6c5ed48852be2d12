/**
 * Ticks once a second, and tells what two clocks and the link's signs of life say. The decisions are in clock-watch.ts and link-watch.ts.
 */
import { CLOCK_TICK_MS, compareClocks, type Clocks } from './clock-watch.ts'
import type { Heard } from '../node/signs.ts'
import { judgeLink } from './link-watch.ts'

/** While an answer is awaited that somebody waits for. */
const HURRIED_TICK_MS = 100

export interface WatchParts {
  readonly clocks: () => Clocks
  readonly random: () => number
  /** What has come over the link; undefined while there is none. */
  readonly heard: () => Heard | undefined
  /** Asks the other side for a sign of life; resolves when it answers. */
  readonly ask: () => Promise<unknown>
  readonly onDoubt: () => void
  /** A link that was doubted answered. */
  readonly onHeard: () => void
  readonly onDead: () => void
  /** The machine slept or the page was frozen for so long. */
  readonly onSlept: (ms: number) => void
  readonly onSetBack: (ms: number) => void
}

export interface Watch {
  /** Asks now, with little patience. */
  hurry(): void
  /** There is another link: what was known of the one before is void. */
  reset(): void
  stop(): void
}

export function createWatch(parts: WatchParts): Watch {
  let before = parts.clocks()
  let asked: { readonly at: number; readonly times: number } | undefined
  let isHurried = false
  let isDoubted = false
  let random = parts.random()

  const reset = (): void => {
    asked = undefined
    isHurried = false
    isDoubted = false
    random = parts.random()
  }

  const look = (now: number): void => {
    const heard = parts.heard()
    if (heard === undefined) return reset()
    // Any byte is a sign of life, until there was doubt. After a cut bytes come in at once, while what we sent waits for a timer of TCP that has grown
    // to many seconds: then only an answer says that the link goes both ways. By count, because a clock may be so coarse that bytes seem to come with
    // the question.
    const isHeard = asked !== undefined && heard.times !== asked.times
    if (isHeard && !isDoubted) reset()
    const verdict = judgeLink({ heardAt: heard.at, askedAt: asked?.at, isHurried, random }, now)
    if (verdict === 'ask') {
      const question = { at: now, times: heard.times }
      asked = question
      parts.ask().then(
        () => {
          if (asked !== question) return
          const wasDoubted = isDoubted
          reset()
          if (wasDoubted) parts.onHeard()
        },
        () => undefined,
      )
    } else if (verdict === 'dead' && !isHeard) {
      reset()
      parts.onDead()
    } else if (verdict !== 'alive' && !isDoubted) {
      isDoubted = true
      parts.onDoubt()
    }
  }

  const tick = (): void => {
    const now = parts.clocks()
    const { sleptMs, setBackMs } = compareClocks(before, now)
    before = now
    if (setBackMs > 0) parts.onSetBack(setBackMs)
    if (sleptMs > 0) {
      // Silence in sleep says nothing of the link: ask anew before anything is judged.
      if (!isDoubted) reset()
      parts.onSlept(sleptMs)
    }
    look(now.steady)
  }
  const timer = setInterval(tick, CLOCK_TICK_MS)
  let hurried: ReturnType<typeof setInterval> | undefined

  return {
    hurry() {
      if (isHurried) return
      isHurried = true
      // What was asked at leisure is asked again: that answer may be seconds late already.
      if (!isDoubted) asked = undefined
      clearInterval(hurried)
      look(parts.clocks().steady)
      hurried = setInterval(() => {
        if (!isHurried || isDoubted) clearInterval(hurried)
        else look(parts.clocks().steady)
      }, HURRIED_TICK_MS)
    },
    reset,
    stop() {
      clearInterval(timer)
      clearInterval(hurried)
    },
  }
}
