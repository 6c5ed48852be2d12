/**
 * A browser's end of `/footbridge/control/1.0.0`: says hello and hears what the bridge has to tell this session, for as long as the stream lives.
 * Not here: reopening it (the client does, on each new connection to the bridge), the bridge's end, and what is done about any of it.
 */
import type { Stream } from '@libp2p/interface'
import { FootbridgeError } from '@footbridge/shared/errors'
import { MAX_FRAME_BYTES } from '@footbridge/shared/limits'
import { decodeControlFrame, type ControlFrame } from '@footbridge/shared/wire/control-frame'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'
import { withDeadline } from '../deadline.ts'
import { frameStream } from '../frame-stream.ts'

const HELLO_TIMEOUT_MS = 10_000

export interface ControlEvents {
  /** Everything but `hello`, which only we say. */
  frame(frame: Exclude<ControlFrame, { type: 'hello' }>): void
  /** Once, at the end. A bridge older than this protocol ends it at once. */
  ended(error: FootbridgeError): void
}

export interface ControlClient {
  /** @param now this device's clock, milliseconds since the epoch */
  hello(now: number): Promise<void>
  /** Idempotent. */
  close(): void
}

export function createControlClient(stream: Stream, events: ControlEvents): ControlClient {
  const frames = frameStream(stream, { maxFrameBytes: MAX_FRAME_BYTES })
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
      if (bytes === undefined) return end(new FootbridgeError('unreachable', 'the bridge closed the control stream'))
      const frame = decodeControlFrame(bytes)
      if (frame !== undefined && frame.type !== 'hello') events.frame(frame)
    }
  }
  read().catch((error: unknown) =>
    end(error instanceof FootbridgeError ? error : new FootbridgeError('unreachable', 'the control stream broke', { cause: error })),
  )
  stream.addEventListener('close', () => end(new FootbridgeError('unreachable', 'the control stream was closed')), { once: true })

  return {
    async hello(now) {
      const bytes = encodeJsonFrame({ type: 'hello', now })
      await withDeadline({ timeoutMs: HELLO_TIMEOUT_MS, what: 'greeting the bridge' }, (signal) => frames.write([bytes], signal))
    },
    close() {
      end(new FootbridgeError('aborted', 'the control stream was closed here'))
    },
  }
}
