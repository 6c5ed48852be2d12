/**
 * The sending end of `/universal-connectivity/dm/1.0.0`: one message on one stream, and its answer. The wire: direct-message.ts.
 * Not here: which message goes when (the client's outbox).
 */
import type { Stream } from '@libp2p/interface'
import { FootbridgeError } from '@footbridge/shared/errors'
import { withDeadline } from '../deadline.ts'
import { frameStream } from '../frame-stream.ts'
import { decodeResponse, encodeRequest, MAX_DIRECT_MESSAGE_BYTES, STATUS_OK, TEXT_PLAIN, type Metadata } from './direct-message.ts'

const WRITE_TIMEOUT_MS = 15_000
/** A relayed phone on a slow network needs several seconds. */
const ANSWER_TIMEOUT_MS = 20_000

export type DirectMessageAnswer =
  | { readonly kind: 'delivered' }
  /** The other side said that it did not take it. */
  | { readonly kind: 'refused'; readonly status: number; readonly text: string }

/**
 * Sends `text` and waits for the answer; ends the stream whatever happens. `onWritten` is called once the message has been handed to the stream.
 * @throws FootbridgeError `too_large`, `timeout`, `peer_unreachable`, `protocol_violation`
 */
export async function sendDirectMessage(
  stream: Stream,
  text: string,
  metadata: Metadata,
  onWritten: () => void = () => undefined,
  signal?: AbortSignal,
): Promise<DirectMessageAnswer> {
  try {
    const request = encodeRequest({ metadata, content: text, type: TEXT_PLAIN })
    if (request.length > MAX_DIRECT_MESSAGE_BYTES) throw new FootbridgeError('too_large', 'the text is too long for a direct message')
    const frames = frameStream(stream, { maxFrameBytes: MAX_DIRECT_MESSAGE_BYTES })
    await withDeadline({ timeoutMs: WRITE_TIMEOUT_MS, what: 'writing the direct message', signal }, (inner) =>
      frames.write([request], inner),
    )
    onWritten()
    const bytes = await withDeadline({ timeoutMs: ANSWER_TIMEOUT_MS, what: 'the answer', signal }, (inner) => frames.read(inner))
    if (bytes === undefined) throw new FootbridgeError('peer_unreachable', 'the other side closed the stream')
    const { status, statusText } = decodeResponse(bytes)
    await withDeadline({ timeoutMs: WRITE_TIMEOUT_MS, what: 'closing the stream', signal }, (inner) => stream.close({ signal: inner }))
    return status === STATUS_OK ? { kind: 'delivered' } : { kind: 'refused', status, text: statusText ?? '' }
  } catch (cause) {
    const error =
      cause instanceof FootbridgeError ? cause : new FootbridgeError('peer_unreachable', 'the direct message could not be sent', { cause })
    stream.abort(error)
    throw error
  }
}
