/**
 * Dials of discovery: a few at once, a bounded queue behind them, each with a deadline, no peer twice.
 * Not here: who is dialled, and which of their addresses (discovery.ts).
 */
import { DIAL_TIMEOUT_MS, MAX_DIALS, MAX_WAITING_DIALS } from './limits.ts'

export interface Dials {
  /** @returns false when it is being dialled already, or too many are waiting. */
  add(peer: string): boolean
  /** Idempotent. Resolves when none is under way. */
  stop(): Promise<void>
}

export interface DialsOptions {
  /** @throws when nobody answered. */
  readonly dial: (peer: string, signal: AbortSignal) => Promise<void>
  readonly onFailed: (peer: string) => void
  readonly maxDials?: number
  readonly maxWaiting?: number
}

export function createDials({ dial, onFailed, maxDials = MAX_DIALS, maxWaiting = MAX_WAITING_DIALS }: DialsOptions): Dials {
  const stopping = new AbortController()
  const waiting = new Set<string>()
  const running = new Map<string, Promise<void>>()

  const run = async (peer: string): Promise<void> => {
    try {
      await dial(peer, AbortSignal.any([stopping.signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)]))
    } catch {
      if (!stopping.signal.aborted) onFailed(peer)
    } finally {
      running.delete(peer)
      startMore()
    }
  }
  const startMore = (): void => {
    for (const peer of waiting) {
      if (running.size >= maxDials || stopping.signal.aborted) return
      waiting.delete(peer)
      running.set(peer, run(peer))
    }
  }

  return {
    add(peer) {
      if (stopping.signal.aborted || running.has(peer) || waiting.has(peer) || waiting.size >= maxWaiting) return false
      waiting.add(peer)
      startMore()
      return true
    },
    async stop() {
      stopping.abort(new Error('discovery is stopping'))
      waiting.clear()
      await Promise.all(running.values())
    },
  }
}
