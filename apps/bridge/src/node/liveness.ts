/**
 * Finds dead TCP connections: pings each that is not a WebSocket (those have their own, cheaper ping) and aborts it after two misses in a row.
 * Why not libp2p's connection monitor: it aborts at the first miss and pings every connection in the same tick (pitfalls A5.7, A1.14).
 */
import type { Connection, Libp2p } from '@libp2p/interface'
import { byteStream } from '@libp2p/utils'

const PING_PROTOCOL = '/ipfs/ping/1.0.0'
const PING_BYTES = 32
/** An idle native peer costs about 600 bytes a ping. */
const PING_INTERVAL_MS = 20_000
/** A ping that takes longer is a miss: slow links answer within seconds. */
const PING_DEADLINE_MS = 8_000
const MISSES = 2
/** How often it is looked at who is due; spreads the pings over the interval. */
const SWEEP_MS = 2_000

export interface Liveness {
  start(): void
  /** Idempotent. */
  stop(): void
}

export function createLiveness(options: {
  readonly node: Pick<Libp2p, 'getConnections'>
  readonly clock: () => number
  readonly randomBytes: (length: number) => Uint8Array
}): Liveness {
  const { node, clock, randomBytes } = options
  /** Connections seen: when each is due, and its misses. Keyed weakly, so a closed one is forgotten with its object. */
  const states = new WeakMap<Connection, { dueAt: number; misses: number }>()
  let timer: NodeJS.Timeout | undefined

  const sweep = (): void => {
    const now = clock()
    for (const connection of node.getConnections()) {
      if (connection.remoteAddr.getComponents().some(({ name }) => name === 'ws')) continue
      const state = states.get(connection) ?? { dueAt: now + PING_INTERVAL_MS, misses: 0 }
      states.set(connection, state)
      if (state.dueAt > now) continue
      // Not due again before this one has its answer or its deadline.
      state.dueAt = now + PING_INTERVAL_MS
      ping(connection, randomBytes(PING_BYTES)).then(
        () => {
          state.misses = 0
        },
        (error: unknown) => {
          if (error instanceof Error && error.name === 'UnsupportedProtocolError') return
          // Ask again soon; a link that is only busy answers the next.
          state.dueAt = clock() + SWEEP_MS
          if (++state.misses >= MISSES) connection.abort(new Error('the peer does not answer'))
        },
      )
    }
  }

  return {
    start() {
      timer ??= setInterval(sweep, SWEEP_MS).unref()
    },
    stop() {
      clearInterval(timer)
      timer = undefined
    },
  }
}

async function ping(connection: Connection, bytes: Uint8Array): Promise<void> {
  const signal = AbortSignal.timeout(PING_DEADLINE_MS)
  const stream = await connection.newStream(PING_PROTOCOL, { signal, runOnLimitedConnection: true })
  try {
    const frames = byteStream(stream)
    await frames.write(bytes, { signal })
    await frames.read({ bytes: bytes.length, signal })
    await stream.close({ signal })
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error('the ping failed'))
    throw error
  }
}
