/**
 * The answering end of `/universal-connectivity/dm/1.0.0`: one request is read, kept by the caller, and answered. The wire: direct-message.ts.
 */
import type { Stream } from '@libp2p/interface'
import { FootbridgeError } from '@footbridge/shared/errors'
import { withDeadline } from '../deadline.ts'
import { frameStream, type FrameStream } from '../frame-stream.ts'
import {
  decodeRequest,
  encodeResponse,
  MAX_DIRECT_MESSAGE_BYTES,
  STATUS_ERROR,
  STATUS_OK,
  TEXT_PLAIN,
  type DirectMessageRequest,
  type Metadata,
} from './direct-message.ts'

/** Who opens the stream writes at once. */
const REQUEST_TIMEOUT_MS = 10_000
/** The asker waits five seconds: an answer after that is for nobody. */
const KEEP_TIMEOUT_MS = 4_500
const ANSWER_TIMEOUT_MS = 5_000

export interface DirectMessageServer {
  readonly metadata: () => Metadata
  /** Durable before it resolves. What it throws is told to the sender as an error, without its reason. */
  keep(request: DirectMessageRequest): Promise<void>
}

/** Serves one message. Never throws: a broken or hostile stream is reset, and the reason is given back. */
export async function serveDirectMessage(
  stream: Stream,
  server: DirectMessageServer,
  signal?: AbortSignal,
): Promise<FootbridgeError | undefined> {
  try {
    const frames = frameStream(stream, { maxFrameBytes: MAX_DIRECT_MESSAGE_BYTES })
    const bytes = await withDeadline({ timeoutMs: REQUEST_TIMEOUT_MS, what: 'the direct message', signal }, (inner) => frames.read(inner))
    if (bytes === undefined) throw new FootbridgeError('protocol_violation', 'the stream ended before there was a message')
    const failure = await keep(decodeRequest(bytes), server, signal)
    await answer(stream, frames, server, failure, signal)
    return failure
  } catch (cause) {
    const error = cause instanceof FootbridgeError ? cause : new FootbridgeError('internal', 'the direct message broke', { cause })
    stream.abort(error)
    return error
  }
}

async function keep(
  request: DirectMessageRequest,
  server: DirectMessageServer,
  signal: AbortSignal | undefined,
): Promise<FootbridgeError | undefined> {
  if (request.type !== TEXT_PLAIN) return new FootbridgeError('bad_request', 'only text/plain is taken')
  if (request.content === '') return new FootbridgeError('bad_request', 'a message has at least one character')
  try {
    await withDeadline({ timeoutMs: KEEP_TIMEOUT_MS, what: 'keeping the message', signal }, () => server.keep(request))
    return undefined
  } catch (cause) {
    return cause instanceof FootbridgeError ? cause : new FootbridgeError('internal', 'the message could not be kept', { cause })
  }
}

async function answer(
  stream: Stream,
  frames: FrameStream,
  server: DirectMessageServer,
  failure: FootbridgeError | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  const response = encodeResponse({
    metadata: server.metadata(),
    status: failure === undefined ? STATUS_OK : STATUS_ERROR,
    // Only what says nothing of this device is told.
    statusText: failure === undefined ? undefined : failure.code === 'bad_request' ? failure.message : 'the message was not kept',
  })
  await withDeadline({ timeoutMs: ANSWER_TIMEOUT_MS, what: 'answering the direct message', signal }, async (inner) => {
    await frames.write([response], inner)
    await stream.close({ signal: inner })
  })
}
