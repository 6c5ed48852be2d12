/**
 * Loads the half of the rooms that gossips with the first joined room, and ends it with the last: nobody else pays for gossipsub.
 */
import type { Readable } from '../api.ts'
import type { RunningRooms } from './live.ts'

/** A chunk that did not load is asked for again. */
const RETRY_MS = 10_000

export interface LazyRooms {
  addresses(peer: string): readonly string[]
  /** Idempotent. */
  stop(): Promise<void>
}

export function createLazyRooms(joined: Readable<readonly string[]>, open: () => Promise<RunningRooms>): LazyRooms {
  let running: Promise<RunningRooms> | undefined
  let current: RunningRooms | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  /** One after the other: a room left and joined again at once must not have two. */
  let last: Promise<void> = Promise.resolve()
  let isStopped = false

  const settle = async (): Promise<void> => {
    const wants = !isStopped && joined.get().length > 0
    if (wants && running === undefined) {
      running = open()
      try {
        current = await running
      } catch {
        running = undefined
        timer = setTimeout(plan, RETRY_MS)
      }
    } else if (!wants && running !== undefined) {
      const ending = await running.catch(() => undefined)
      running = undefined
      current = undefined
      await ending?.stop()
    }
  }
  const plan = (): void => {
    clearTimeout(timer)
    last = last.then(settle).catch(() => undefined)
  }
  const end = joined.subscribe(plan)

  return {
    addresses: (peer) => current?.addresses(peer) ?? [],
    async stop() {
      isStopped = true
      end()
      plan()
      await last
    },
  }
}
