/**
 * How often hops may be dialled while tries to reach the bridge overlap. The WebSocket takes part in each try (supervisor/seek.ts says why), but where
 * only the tunnel came in. The others run one at a time, and seldom after they failed: Chromium counts WebTransport sessions that failed for minutes and soon
 * holds new ones back (pitfall A6.8), and what hangs takes the few connections that a browser makes to one host, which a login needs. WebKit counts a
 * WebSocket among them that hangs, and keeps it when it is closed: six of them, and not even a tunnel gets through.
 */
import type { HopKind } from './hop-kind.ts'

/** After the first failure; doubles with each. */
const FIRST_PAUSE_MS = 5_000
const MAX_PAUSE_MS = 60_000
/** Called off sooner, a dial says nothing of the network. */
const HUNG_AFTER_MS = 1_500

type Outcome = 'succeeded' | 'failed' | 'called-off'

export interface Brake {
  /** @param winner of this network's last race: where only the tunnel works, it is what must be tried. */
  mayBegin(kind: HopKind, winner: HopKind | undefined): boolean
  /** @returns to be called once, with what became of the dial */
  begin(kind: HopKind): (outcome: Outcome) => void
  /** Another network: what failed before says nothing. */
  release(): void
}

export function createBrake(now: () => number): Brake {
  const underway = new Set<HopKind>()
  const failed = new Map<HopKind, { readonly times: number; readonly pausedUntil: number }>()

  return {
    mayBegin(kind, winner) {
      if (kind === 'websocket' && winner !== 'tunnel') return true
      if (underway.has(kind)) return false
      return (kind === 'tunnel' && winner === 'tunnel') || now() >= (failed.get(kind)?.pausedUntil ?? -Infinity)
    },
    begin(kind) {
      underway.add(kind)
      const startedAt = now()
      return (outcome) => {
        underway.delete(kind)
        if (outcome === 'succeeded') failed.delete(kind)
        else if (outcome === 'failed' || now() - startedAt >= HUNG_AFTER_MS) {
          const times = (failed.get(kind)?.times ?? 0) + 1
          failed.set(kind, { times, pausedUntil: now() + Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (times - 1)) })
        }
      }
    },
    release: () => failed.clear(),
  }
}
