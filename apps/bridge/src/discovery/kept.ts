/**
 * Peers of the operator's settings are kept connected: dialled at the start, and again whenever they are not there, later with each failure (redial.ts).
 * Not here: the dial itself.
 */
import { DIAL_TIMEOUT_MS } from './limits.ts'
import { redialAfterMs } from './redial.ts'

export interface Kept {
  start(): void
  connected(peer: string): void
  disconnected(peer: string): void
  /** Idempotent. Resolves when no dial is under way. */
  stop(): Promise<void>
}

export interface KeptOptions {
  readonly peers: readonly string[]
  /** @throws when nobody answered. */
  readonly dial: (peer: string, signal: AbortSignal) => Promise<void>
  readonly onFailed: (peer: string) => void
  /** From 0 to 1. */
  readonly random: () => number
}

export function createKept({ peers, dial, onFailed, random }: KeptOptions): Kept {
  const stopping = new AbortController()
  const attempts = new Map<string, number>()
  const timers = new Map<string, NodeJS.Timeout>()
  const running = new Set<Promise<void>>()

  const attempt = async (peer: string): Promise<void> => {
    try {
      await dial(peer, AbortSignal.any([stopping.signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)]))
    } catch {
      if (stopping.signal.aborted) return
      onFailed(peer)
      schedule(peer)
    }
  }
  const schedule = (peer: string): void => {
    if (stopping.signal.aborted || timers.has(peer) || !peers.includes(peer)) return
    const made = attempts.get(peer) ?? 0
    attempts.set(peer, made + 1)
    const timer = setTimeout(
      () => {
        timers.delete(peer)
        const dialling = attempt(peer).finally(() => running.delete(dialling))
        running.add(dialling)
      },
      redialAfterMs(made, random()),
    ).unref()
    timers.set(peer, timer)
  }

  return {
    start() {
      for (const peer of peers) schedule(peer)
    },
    connected(peer) {
      attempts.delete(peer)
      clearTimeout(timers.get(peer))
      timers.delete(peer)
    },
    disconnected: schedule,
    async stop() {
      stopping.abort(new Error('discovery is stopping'))
      for (const timer of timers.values()) clearTimeout(timer)
      timers.clear()
      await Promise.all(running)
    },
  }
}
