/**
 * A browser's end of `/footbridge/presence/1.0.0`: says who we are and hears who is here, for as long as the stream lives.
 * Not here: reopening it (the client does, on each new connection to the bridge) and the bridge's end (apps/bridge/src/presence).
 */
import type { Stream } from '@libp2p/interface'
import { FootbridgeError } from '@footbridge/shared/errors'
import { MAX_FRAME_BYTES } from '@footbridge/shared/limits'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'
import { decodePresenceFrame, type DeviceKind, type PresenceRow } from '@footbridge/shared/wire/presence-frame'
import { withDeadline } from '../deadline.ts'
import { frameStream } from '../frame-stream.ts'

const HELLO_TIMEOUT_MS = 10_000
/** Frames that may arrive in one burst: a bridge with ten thousand peers sends a hundred. */
const MAX_BURST_BYTES = 128 * MAX_FRAME_BYTES

export interface PresenceEvents {
  /** `reset`: the rows are the whole list so far. */
  peers(rows: readonly PresenceRow[], reset: boolean): void
  gone(peers: readonly string[]): void
  /** Once, at the end. */
  ended(error: FootbridgeError): void
}

export interface PresenceClient {
  /** Also to be called when the name changes. */
  hello(name: string, device: DeviceKind): Promise<void>
  /** Idempotent. */
  close(): void
}

export function createPresenceClient(stream: Stream, events: PresenceEvents): PresenceClient {
  const frames = frameStream(stream, { maxFrameBytes: MAX_FRAME_BYTES, maxBufferBytes: MAX_BURST_BYTES })
  let open = true

  const end = (error: FootbridgeError): void => {
    if (!open) return
    open = false
    stream.abort(error)
    events.ended(error)
  }

  const read = async (): Promise<void> => {
    for (;;) {
      const bytes = await frames.read()
      if (bytes === undefined) return end(new FootbridgeError('unreachable', 'the bridge closed the presence stream'))
      const frame = decodePresenceFrame(bytes)
      if (frame?.type === 'peers') events.peers(frame.rows, frame.reset === true)
      else if (frame?.type === 'gone') events.gone(frame.peers)
    }
  }
  read().catch((error: unknown) =>
    end(error instanceof FootbridgeError ? error : new FootbridgeError('unreachable', 'the presence stream broke', { cause: error })),
  )
  stream.addEventListener('close', () => end(new FootbridgeError('unreachable', 'the presence stream was closed')), { once: true })

  return {
    async hello(name, device) {
      const bytes = encodeJsonFrame({ type: 'hello', name, device })
      await withDeadline({ timeoutMs: HELLO_TIMEOUT_MS, what: 'announcing ourselves' }, (signal) => frames.write([bytes], signal))
    },
    close() {
      end(new FootbridgeError('aborted', 'the presence stream was closed here'))
    },
  }
}
