/**
 * Whether a path still answers: pings it, with patience as a routine and without when there is a reason for doubt.
 * Not here: what is done about a dead one (paths.ts).
 */
import type { Connection } from '@libp2p/interface'
import { withDeadline } from '@footbridge/protocols/deadline'
import { pingConnection } from '@footbridge/protocols/ping/ping-connection'
import { best, isHeardSince, type PeerPath } from './peer-path.ts'

/** A ping queues behind a block on its way: a miss is asked again before a path is given up. */
const MEASURE_TIMEOUT_MS = 6_000
const MISSES_TO_GIVE_UP = 2
const ASK_AGAIN_MS = 1_000
/** A closed tab's direct connection looks alive for twenty seconds unless it is asked. */
const DOUBT_TIMEOUT_MS = 2_500

export interface LivenessParts {
  readonly signal: AbortSignal
  readonly now: () => number
  /** A cheaper question than a ping, where the connection has one. */
  readonly ask: (connection: Connection) => Promise<number> | undefined
  /** The round trip is known anew. */
  readonly onMeasured: (path: PeerPath) => void
  readonly onDead: (path: PeerPath, connection: Connection, reason: Error) => void
}

export interface Liveness {
  /** The routine look at the path in use; gives it up after MISSES_TO_GIVE_UP. */
  measure(path: PeerPath): Promise<void>
  /** The bridge says that the peer has gone, or it came again: gives this connection up at the first miss. */
  doubt(path: PeerPath, connection: Connection): Promise<void>
}

export function createLiveness({ signal, now, ask, onMeasured, onDead }: LivenessParts): Liveness {
  const giveUp = (path: PeerPath, connection: Connection, error: unknown): void => {
    path.misses = 0
    onDead(path, connection, error instanceof Error ? error : new Error('the path stopped answering'))
  }

  const measure = async (path: PeerPath): Promise<void> => {
    const connection = best(path)
    if (connection === undefined || path.measuring) return
    path.measuring = true
    const startedAt = now()
    path.measuredAt = startedAt
    try {
      const answer = ask(connection)
      const rttMs = await (answer === undefined
        ? pingConnection(connection, MEASURE_TIMEOUT_MS, signal)
        : withDeadline({ timeoutMs: MEASURE_TIMEOUT_MS, what: 'the answer', signal }, () => answer))
      path.misses = 0
      path.rttMs = Math.round(rttMs)
      onMeasured(path)
    } catch (error) {
      if (signal.aborted || connection !== best(path) || isHeardSince(path, connection, startedAt)) return
      path.misses++
      if (path.misses >= MISSES_TO_GIVE_UP) giveUp(path, connection, error)
      else setTimeout(() => void measure(path), ASK_AGAIN_MS)
    } finally {
      path.measuring = false
    }
  }

  return {
    measure,
    async doubt(path, connection) {
      const startedAt = now()
      try {
        await pingConnection(connection, DOUBT_TIMEOUT_MS, signal)
      } catch (error) {
        if (!signal.aborted && connection.status === 'open' && !isHeardSince(path, connection, startedAt)) giveUp(path, connection, error)
      }
    },
  }
}
