/**
 * One ping on one given connection: libp2p's ping service picks the connection itself, and the point here is to prove a certain path.
 */
import type { Connection } from '@libp2p/interface'
import { byteStream } from '@libp2p/utils'
import { FootbridgeError } from '@footbridge/shared/errors'
import { withDeadline } from '../deadline.ts'

const PING_PROTOCOL = '/ipfs/ping/1.0.0'
const PING_BYTES = 32

/** @returns the round trip in milliseconds. @throws FootbridgeError `timeout`, `aborted` or `peer_unreachable` */
export async function pingConnection(connection: Connection, timeoutMs: number, signal?: AbortSignal): Promise<number> {
  return withDeadline({ timeoutMs, what: 'the ping', signal }, async (inner) => {
    const stream = await connection
      .newStream(PING_PROTOCOL, { signal: inner, runOnLimitedConnection: true, maxOutboundStreams: 4 })
      .catch((cause: unknown) => {
        throw new FootbridgeError('peer_unreachable', 'no ping stream', { cause })
      })
    try {
      const bytes = byteStream(stream, { maxBufferSize: 1024 })
      const sent = crypto.getRandomValues(new Uint8Array(PING_BYTES))
      const start = performance.now()
      await bytes.write(sent, { signal: inner })
      const received = (await bytes.read({ bytes: PING_BYTES, signal: inner })).subarray()
      const roundTripMs = performance.now() - start
      if (!received.every((byte, index) => byte === sent[index]))
        throw new FootbridgeError('protocol_violation', 'a ping came back changed')
      return roundTripMs
    } catch (cause) {
      throw cause instanceof FootbridgeError ? cause : new FootbridgeError('peer_unreachable', 'the ping failed', { cause })
    } finally {
      // Without an end on both sides a WebRTC data channel would stay for each ping.
      stream.close({ signal: AbortSignal.timeout(1000) }).catch(() => stream.abort(new Error('the ping stream did not close')))
    }
  })
}
