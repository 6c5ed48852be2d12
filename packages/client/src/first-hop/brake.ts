/**
 * How often hops may be dialled while tries to reach the bridge overlap. The WebSocket takes part in each try (supervisor/seek.ts says why). The other two
 * run one at a time: Chromium counts WebTransport sessions that failed for minutes and soon holds new ones back (pitfall A6.8), and requests that hang take
 * the few connections that it makes to one host.
 */
import type { HopKind } from './hop-kind.ts'

/** After the first failure; doubles with each. */
const FIRST_PAUSE_MS = 5_000
const MAX_PAUSE_MS = 60_000
/** Called off sooner, a dial says nothing of the network. */
const HUNG_AFTER_MS = 2_000

type Outcome = 'succeeded' | 'failed' | 'called-off'

export interface Brake {
  mayBegin(kind: HopKind): boolean
  /** @returns to be called once, with what became of the dial */
  begin(kind: HopKind): (outcome: Outcome) => void
  /** Another network: what failed before says nothing. */
  release(): void
}

export function createBrake(now: () => number): Brake {
  const underway = new Set<HopKind>()
  let failures = 0
  let pausedUntil = -Infinity

  return {
    mayBegin(kind) {
      if (kind === 'websocket') return true
      return !underway.has(kind) && (kind !== 'webtransport' || now() >= pausedUntil)
    },
    begin(kind) {
      underway.add(kind)
      const startedAt = now()
      return (outcome) => {
        underway.delete(kind)
        if (kind !== 'webtransport' || (outcome === 'called-off' && now() - startedAt < HUNG_AFTER_MS)) return
        failures = outcome === 'succeeded' ? 0 : failures + 1
        pausedUntil = failures === 0 ? -Infinity : now() + Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1))
      }
    },
    release() {
      failures = 0
      pausedUntil = -Infinity
    },
  }
}
