/**
 * The receiving end of `/footbridge/message/1.0.0`: one message at a time per stream is read, stored by the caller, and only then acknowledged.
 * Idempotent by id: the caller answers `stored` for a message that it has already, and keeps it once.
 */
import type { Stream } from '@libp2p/interface'
import { FootbridgeError } from '@footbridge/shared/errors'
import { MAX_FRAME_BYTES } from '@footbridge/shared/limits'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'
import { decodeMessageFrame, type MessageFrameOf } from '@footbridge/shared/wire/message-frame'
import { withDeadline } from '../deadline.ts'
import { frameStream } from '../frame-stream.ts'
import type { OutgoingFrame } from './message-sender.ts'

/** A quiet stream is closed after this; its sender opens another when it has something to say. */
const IDLE_TIMEOUT_MS = 10 * 60_000
/** IndexedDB on a busy phone can take seconds. */
const STORE_TIMEOUT_MS = 10_000
const ANSWER_TIMEOUT_MS = 15_000

/** Message streams that one connection may have open towards us: one in use and one of a path that is being left. */
export const MAX_MESSAGE_STREAMS_PER_CONNECTION = 4

export type Reception = 'stored' | MessageFrameOf<'refused'>['reason']

export interface MessageReceiver {
  onProfile(frame: MessageFrameOf<'profile'>): void
  /** Durable before it resolves. */
  store(frame: OutgoingFrame): Promise<Reception>
}

/** Serves the stream until it closes. Never throws: a broken or hostile stream is reset, and the reason is given back. */
export async function receiveMessages(
  stream: Stream,
  receiver: MessageReceiver,
  signal?: AbortSignal,
): Promise<FootbridgeError | undefined> {
  const frames = frameStream(stream, { maxFrameBytes: MAX_FRAME_BYTES })
  try {
    for (;;) {
      const bytes = await withDeadline({ timeoutMs: IDLE_TIMEOUT_MS, what: 'the next message', signal }, (inner) => frames.read(inner))
      if (bytes === undefined) break
      const frame = decodeMessageFrame(bytes)
      if (frame === undefined) continue
      if (frame.type === 'profile') {
        receiver.onProfile(frame)
        continue
      }
      if (frame.type !== 'text' && frame.type !== 'file')
        throw new FootbridgeError('protocol_violation', `a sender may not send ${frame.type}`)
      const reception = await withDeadline({ timeoutMs: STORE_TIMEOUT_MS, what: 'storing the message', signal }, () =>
        receiver.store(frame),
      )
      const answer = encodeJsonFrame(
        reception === 'stored' ? { type: 'ack', id: frame.id } : { type: 'refused', id: frame.id, reason: reception },
      )
      await withDeadline({ timeoutMs: ANSWER_TIMEOUT_MS, what: 'answering the message', signal }, (inner) => frames.write([answer], inner))
    }
    await withDeadline({ timeoutMs: ANSWER_TIMEOUT_MS, what: 'closing the stream', signal }, (inner) => stream.close({ signal: inner }))
    return undefined
  } catch (cause) {
    const error = cause instanceof FootbridgeError ? cause : new FootbridgeError('internal', 'the message could not be kept', { cause })
    stream.abort(error)
    return error
  }
}
