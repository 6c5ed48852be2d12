/**
 * The serving end of `/footbridge/blob/1.0.0`: answers wants with blocks that `get` gives, in order, waiting while the stream is full.
 * Not here: which blocks this device gives to whom (the caller's `get`). Asking: blob-requester.ts.
 */
import type { Stream } from '@libp2p/interface'
import { FootbridgeError } from '@footbridge/shared/errors'
import { MAX_OUTSTANDING_BLOCKS } from '@footbridge/shared/limits'
import { decodeBlobFrame, encodeBlobFrame } from '@footbridge/shared/wire/blob-frame'
import { withDeadline } from '../deadline.ts'
import { frameStream } from '../frame-stream.ts'

/** Streams stay open between files for this long. */
const IDLE_TIMEOUT_MS = 5 * 60_000
const GET_TIMEOUT_MS = 15_000
/** One block of 2 MiB at 32 KiB/s. */
const WRITE_TIMEOUT_MS = 64_000

/** A want is a CID and a number; larger frames are refused unread. */
const MAX_WANT_FRAME_BYTES = 256

/** Blob streams that one connection may have open towards us. */
export const MAX_BLOB_STREAMS_PER_CONNECTION = 4

export type GetBlock = (cid: Uint8Array, signal: AbortSignal) => Promise<Uint8Array | undefined>

/** Serves the stream until it closes. Never throws: a broken or hostile stream is reset, and the reason is given back. */
export async function serveBlobs(stream: Stream, get: GetBlock, stopped?: AbortSignal): Promise<FootbridgeError | undefined> {
  const closed = new AbortController()
  stream.addEventListener('close', () => closed.abort(), { once: true })
  const signal = stopped === undefined ? closed.signal : AbortSignal.any([stopped, closed.signal])
  // The buffer holds the wants that may be unanswered and no more: who sends more resets its own stream.
  const frames = frameStream(stream, {
    maxFrameBytes: MAX_WANT_FRAME_BYTES,
    maxBufferBytes: (MAX_OUTSTANDING_BLOCKS + 1) * MAX_WANT_FRAME_BYTES,
  })
  try {
    for (;;) {
      const bytes = await withDeadline({ timeoutMs: IDLE_TIMEOUT_MS, what: 'the next want', signal }, (inner) => frames.read(inner))
      if (bytes === undefined) break
      const frame = decodeBlobFrame(bytes)
      if (frame.kind !== 'want') throw new FootbridgeError('protocol_violation', `a requester may not send ${frame.kind}`)
      const block = await withDeadline({ timeoutMs: GET_TIMEOUT_MS, what: 'reading the block', signal }, (inner) => get(frame.cid, inner))
      const answer = encodeBlobFrame(
        block === undefined ? { kind: 'absent', request: frame.request } : { kind: 'block', request: frame.request, bytes: block },
      )
      await withDeadline({ timeoutMs: WRITE_TIMEOUT_MS, what: 'sending the block', signal }, (inner) => frames.write(answer, inner))
    }
    await withDeadline({ timeoutMs: WRITE_TIMEOUT_MS, what: 'closing the stream', signal }, (inner) => stream.close({ signal: inner }))
    return undefined
  } catch (cause) {
    const error = cause instanceof FootbridgeError ? cause : new FootbridgeError('internal', 'the block could not be served', { cause })
    stream.abort(error)
    return error
  }
}
