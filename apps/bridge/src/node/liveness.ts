/**
 * Finds dead TCP connections: one from which nothing came for a while is pinged, and cut when nothing comes after several pings. Any byte is a sign of
 * life, so a link that is only busy is never cut. WebSockets and tunnels have their listeners' own, cheaper ones; QUIC, WebTransport and WebRTC notice it themselves.
 * Why not libp2p's connection monitor: it cuts at the first ping that is late, though data flows, and pings every connection in the same tick (pitfalls
 * A5.7, A1.14).
 *
 * Silence is counted in sweeps and not by the clock: after a sleep of the bridge's own machine every clock would say that everybody was silent.
 */
import type { Connection, MultiaddrConnection } from '@libp2p/interface'
import { byteStream } from '@libp2p/utils'

const PING_PROTOCOL = '/ipfs/ping/1.0.0'
const PING_BYTES = 32
const SWEEP_MS = 2_000
/** After 8, 12 and 16 s of silence; one costs about 600 bytes. */
const PINGED_AFTER_SWEEPS: readonly number[] = [4, 6, 8]
/** 20 s. */
const DEAD_AFTER_SWEEPS = 10

type Timeline = Connection['timeline']

export interface Liveness {
  /** Counts what arrives on this connection; not before its handshake is done, which would lose what arrives. */
  watch(connection: Pick<MultiaddrConnection, 'remoteAddr' | 'timeline' | 'addEventListener'>): void
  start(): void
  /** Idempotent. */
  stop(): void
}

export function createLiveness(options: {
  readonly connections: () => readonly Connection[]
  readonly randomBytes: (length: number) => Uint8Array
  readonly sweepMs?: number
}): Liveness {
  const { connections, randomBytes, sweepMs = SWEEP_MS } = options
  /** Sweeps of silence. By the timeline, which libp2p's connection has from the one below: the only thing of it that shows. */
  const silences = new WeakMap<Timeline, number>()
  let timer: NodeJS.Timeout | undefined

  const sweep = (): void => {
    for (const connection of connections()) {
      const before = silences.get(connection.timeline)
      if (before === undefined) continue
      const silence = before + 1
      silences.set(connection.timeline, silence)
      if (silence >= DEAD_AFTER_SWEEPS) connection.abort(new Error('the peer does not answer'))
      // Whatever the answer, it is bytes; a peer without the protocol says so.
      else if (PINGED_AFTER_SWEEPS.includes(silence))
        ping(connection, randomBytes(PING_BYTES), AbortSignal.timeout(sweepMs * DEAD_AFTER_SWEEPS)).catch(() => {})
    }
  }

  return {
    watch(connection) {
      const { remoteAddr, timeline } = connection
      if (remoteAddr.getComponents().findLast(({ name }) => name !== 'p2p')?.name !== 'tcp') return
      silences.set(timeline, 0)
      connection.addEventListener('message', () => {
        silences.set(timeline, 0)
      })
    },
    start() {
      timer ??= setInterval(sweep, sweepMs).unref()
    },
    stop() {
      clearInterval(timer)
      timer = undefined
    },
  }
}

async function ping(connection: Connection, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
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
