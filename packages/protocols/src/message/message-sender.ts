/**
 * The sending end of `/footbridge/message/1.0.0`: one stream that this device opened, many messages, an answer for each.
 * Not here: which message goes when and what happens without an answer (the client's outbox). Receiving: message-receiver.ts.
 */
import type { Stream } from '@libp2p/interface'
import { FootbridgeError } from '@footbridge/shared/errors'
import { MAX_FRAME_BYTES } from '@footbridge/shared/limits'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'
import { decodeMessageFrame, type MessageFrameOf } from '@footbridge/shared/wire/message-frame'
import { withDeadline } from '../deadline.ts'
import { frameStream } from '../frame-stream.ts'

/** Time for a write to leave this device and for the other side to store and answer; a relayed phone on a slow network needs several seconds. */
const WRITE_TIMEOUT_MS = 15_000
const ANSWER_TIMEOUT_MS = 20_000

/** Messages of one stream that may wait for their answer; more are refused locally, so that memory is bounded. */
export const MAX_MESSAGES_IN_FLIGHT = 16

export type OutgoingFrame = MessageFrameOf<'text'> | MessageFrameOf<'file'>
export type Answer = { readonly kind: 'delivered' } | { readonly kind: 'refused'; readonly reason: MessageFrameOf<'refused'>['reason'] }

export interface MessageSender {
  readonly open: boolean
  /** How many wait for their answer. */
  readonly inFlight: number
  profile(frame: MessageFrameOf<'profile'>): Promise<void>
  /**
   * Sends and waits for the answer. `onWritten` is called once the frame has been handed to the stream.
   * @throws FootbridgeError `timeout`, `peer_unreachable`, `rate_limited` when MAX_MESSAGES_IN_FLIGHT are waiting
   */
  send(frame: OutgoingFrame, onWritten: () => void): Promise<Answer>
  /** Idempotent. */
  close(): void
}

export function createMessageSender(stream: Stream): MessageSender {
  const frames = frameStream(stream, { maxFrameBytes: MAX_FRAME_BYTES })
  const waiting = new Map<string, PromiseWithResolvers<Answer>>()
  let open = true

  const end = (error: FootbridgeError): void => {
    if (!open) return
    open = false
    for (const answer of waiting.values()) answer.reject(error)
    waiting.clear()
    stream.abort(error)
  }

  const readAnswers = async (): Promise<void> => {
    for (;;) {
      const bytes = await frames.read()
      if (bytes === undefined) return end(new FootbridgeError('peer_unreachable', 'the other side closed the stream'))
      const frame = decodeMessageFrame(bytes)
      if (frame?.type === 'ack') waiting.get(frame.id)?.resolve({ kind: 'delivered' })
      else if (frame?.type === 'refused') waiting.get(frame.id)?.resolve({ kind: 'refused', reason: frame.reason })
      else if (frame !== undefined) throw new FootbridgeError('protocol_violation', `a receiver may not send ${frame.type}`)
    }
  }
  readAnswers().catch((error: unknown) =>
    end(error instanceof FootbridgeError ? error : new FootbridgeError('peer_unreachable', 'the stream broke', { cause: error })),
  )
  stream.addEventListener('close', () => end(new FootbridgeError('peer_unreachable', 'the stream was closed')), { once: true })

  const write = async (frame: unknown): Promise<void> => {
    if (!open) throw new FootbridgeError('peer_unreachable', 'the stream is closed')
    const bytes = encodeJsonFrame(frame)
    await withDeadline({ timeoutMs: WRITE_TIMEOUT_MS, what: 'writing the message' }, (signal) => frames.write([bytes], signal))
  }

  return {
    get open() {
      return open
    },
    get inFlight() {
      return waiting.size
    },
    profile: write,
    async send(frame, onWritten) {
      if (waiting.size >= MAX_MESSAGES_IN_FLIGHT) throw new FootbridgeError('rate_limited', 'too many messages wait for their answer')
      const answer = Promise.withResolvers<Answer>()
      answer.promise.catch(() => undefined)
      waiting.set(frame.id, answer)
      try {
        await write(frame)
        onWritten()
        return await withDeadline({ timeoutMs: ANSWER_TIMEOUT_MS, what: 'the acknowledgement' }, () => answer.promise)
      } catch (error) {
        // A stream that lost an answer may be a dead one: the next message goes over a new stream, on whatever path is best then.
        end(
          error instanceof FootbridgeError
            ? error
            : new FootbridgeError('peer_unreachable', 'the message could not be sent', { cause: error }),
        )
        throw error
      } finally {
        waiting.delete(frame.id)
      }
    },
    close() {
      end(new FootbridgeError('aborted', 'the stream was closed here'))
    },
  }
}
