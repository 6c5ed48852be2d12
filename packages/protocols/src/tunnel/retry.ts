/** When to try again, and when to give up: one direction of a tunnel. */

/** 100 ms, 200 ms, … */
const FIRST_MS = 100
const MAX_MS = 2_000
/** As long as the bridge waits for a silent tunnel. */
const GIVE_UP_MS = 20_000

export interface Retry {
  succeeded(): void
  /** @param since when what failed was begun. @returns ms to wait; undefined to give up. */
  failed(since: number): number | undefined
}

export function createRetry({ now, random }: { readonly now: () => number; readonly random: () => number }): Retry {
  let count = 0
  let failingSince: number | undefined
  return {
    succeeded() {
      count = 0
      failingSince = undefined
    },
    failed(since) {
      failingSince ??= since
      if (now() - failingSince >= GIVE_UP_MS) return undefined
      return Math.min(MAX_MS, FIRST_MS * 2 ** count++) * (0.75 + random() / 2)
    },
  }
}

/** Ends early, without an error, when `signal` fires. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })
}
