/**
 * A device's end of `/footbridge/announce/1.0.0`: says who can find it, gives the bridge its signed record, and hears where it is told of.
 * Not here: signing (signed-records.ts), reopening the stream (the client does, on each new connection to the bridge), and the bridge's end (apps/bridge/src/announce).
 */
import type { Stream } from '@libp2p/interface'
import { FootbridgeError } from '@footbridge/shared/errors'
import { MAX_FRAME_BYTES } from '@footbridge/shared/limits'
import { base64urlEncode } from '@footbridge/shared/text-codec'
import { decodeAnnounceFrame, type AnnouncePlace, type RecordRefusal, type Visibility } from '@footbridge/shared/wire/announce-frame'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'
import { withDeadline } from '../deadline.ts'
import { frameStream } from '../frame-stream.ts'
import type { SignedRecords } from './signed-records.ts'

const WRITE_TIMEOUT_MS = 10_000

export interface AnnounceEvents {
  places(places: readonly AnnouncePlace[]): void
  /** The bridge would carry a record of these addresses, numbered above `after`. */
  wanted(addresses: readonly string[], after: number): void
  refused(reason: RecordRefusal): void
  /** Once, at the end. */
  ended(error: FootbridgeError): void
}

export interface AnnounceClient {
  /** First, and with every new choice. */
  visible(visibility: Visibility): Promise<void>
  record(records: SignedRecords): Promise<void>
  /** Idempotent. */
  close(): void
}

export function createAnnounceClient(stream: Stream, events: AnnounceEvents): AnnounceClient {
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
      if (bytes === undefined) return end(new FootbridgeError('unreachable', 'the bridge closed the announce stream'))
      const frame = decodeAnnounceFrame(bytes)
      if (frame?.type === 'places') events.places(frame.places)
      else if (frame?.type === 'wanted') events.wanted(frame.addresses, frame.after)
      else if (frame?.type === 'refused') events.refused(frame.reason)
    }
  }
  read().catch((error: unknown) =>
    end(error instanceof FootbridgeError ? error : new FootbridgeError('unreachable', 'the announce stream broke', { cause: error })),
  )
  stream.addEventListener('close', () => end(new FootbridgeError('unreachable', 'the announce stream was closed')), { once: true })

  const write = async (frame: unknown): Promise<void> => {
    const bytes = encodeJsonFrame(frame)
    await withDeadline({ timeoutMs: WRITE_TIMEOUT_MS, what: 'telling the bridge who can find us' }, (signal) =>
      frames.write([bytes], signal),
    )
  }

  return {
    visible: (visibility) => write({ type: 'visible', visibility }),
    record: ({ envelope, legacy }) => write({ type: 'record', envelope: base64urlEncode(envelope), legacy: base64urlEncode(legacy) }),
    close() {
      end(new FootbridgeError('aborted', 'the announce stream was closed here'))
    },
  }
}
