/**
 * Looks for a better first hop while the device is reachable over a worse one: calmly, beside the link, which stays until the better one stands.
 *
 * A move ends the circuits over the old link, as the supervisor's doubt does; they come back within a moment, and what was underway is sent again. From the
 * tunnel that is worth it at once. From the WebSocket it is not: such a move waits until no circuit is open, so that nobody loses anything.
 * Not here: the dial (first-hop.ts), what follows a move (supervisor/).
 */
import type { Connection } from '@libp2p/interface'
import type { SessionAnswer } from '@footbridge/shared/login'
import type { FirstHop } from '../api.ts'
import type { FirstHops } from './first-hop.ts'
import type { HopKind } from './hop-kind.ts'
import { betterThan } from './plan.ts'

/** A network has changed, or a session brought fresh addresses. */
const SOON_MS = 2_000
/** Whoever has just come has other things to do with a bad network. */
const FIRST_MS = 20_000
const EVERY_MS = 5 * 60_000
/** Circuits are open: look again when they may have ended. */
const BUSY_MS = 60_000
const DIAL_TIMEOUT_MS = 10_000

export interface BetterHopParts {
  readonly hops: Pick<FirstHops, 'dialBeside' | 'current' | 'moveTo'>
  /** The kind of the link; undefined unless the device is reachable over one that nobody doubts. */
  readonly kind: () => HopKind | undefined
  readonly session: () => SessionAnswer | undefined
  readonly hasCircuits: () => boolean
  /** Ends a link that is not used after all. */
  readonly cut: (link: Connection) => void
  readonly onMoved: (hop: FirstHop) => void
}

export interface BetterHop {
  /** Reachable: at each change to it. */
  online(): void
  /** Another network, or fresh addresses. */
  soon(): void
  stop(): void
}

export function createBetterHop({ hops, kind, session, hasCircuits, cut, onMoved }: BetterHopParts): BetterHop {
  let timer: ReturnType<typeof setTimeout> | undefined
  let looking: AbortController | undefined

  const lookIn = (ms: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => void look(), ms)
  }

  const isHeldUp = (from: HopKind): boolean => from !== 'tunnel' && hasCircuits()

  const look = async (): Promise<void> => {
    const [from, answer, link] = [kind(), session(), hops.current()]
    if (from === undefined || answer === undefined || link === undefined || looking !== undefined) return lookIn(EVERY_MS)
    if (betterThan(from).length === 0) return
    if (isHeldUp(from)) return lookIn(BUSY_MS)
    const end = (looking = new AbortController())
    const signal = AbortSignal.any([end.signal, AbortSignal.timeout(DIAL_TIMEOUT_MS)])
    try {
      const better = await hops.dialBeside(answer, betterThan(from), signal)
      // Much may have happened meanwhile; and it is not urgent.
      if (end.signal.aborted || kind() !== from || session() === undefined || hops.current() !== better || isHeldUp(from)) cut(better)
      else onMoved(hops.moveTo(better))
    } catch {
      // This network has nothing better for now.
    }
    looking = undefined
    if (!end.signal.aborted) lookIn(EVERY_MS)
  }

  return {
    online: () => lookIn(FIRST_MS),
    soon: () => lookIn(SOON_MS),
    stop() {
      clearTimeout(timer)
      looking?.abort()
    },
  }
}
