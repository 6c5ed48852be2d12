/**
 * The asking end of `/footbridge/blob/1.0.0`: up to MAX_OUTSTANDING_BLOCKS requests on one stream, each block verified before it is given on.
 * Not here: which block is asked of whom (the client's fetcher).
 */
import type { Stream } from '@libp2p/interface'
import { FootbridgeError } from '@footbridge/shared/errors'
import { MAX_BLOB_FRAME_BYTES, MAX_OUTSTANDING_BLOCKS } from '@footbridge/shared/limits'
import { decodeBlobFrame, encodeBlobFrame } from '@footbridge/shared/wire/blob-frame'
import type { CID } from 'multiformats/cid'
import { withDeadline } from '../deadline.ts'
import { frameStream } from '../frame-stream.ts'
import { verifyBlock } from './verify.ts'

/** All outstanding blocks, 8 MiB at most, at 128 KiB/s. A dead connection is noticed sooner, by its own pings. */
const BLOCK_TIMEOUT_MS = 64_000

export interface BlobRequester {
  readonly open: boolean
  /** Requests that may be made now. */
  readonly free: number
  /**
   * The block, verified; undefined when the other side does not have it.
   * @throws FootbridgeError `block_mismatch`, `peer_unreachable`, `timeout`, `protocol_violation`, `aborted`, `rate_limited` when `free` is 0
   */
  request(cid: CID, signal?: AbortSignal): Promise<Uint8Array | undefined>
  /** Idempotent. */
  close(): void
}

export function createBlobRequester(stream: Stream): BlobRequester {
  const frames = frameStream(stream, {
    maxFrameBytes: MAX_BLOB_FRAME_BYTES,
    maxBufferBytes: (MAX_OUTSTANDING_BLOCKS + 1) * MAX_BLOB_FRAME_BYTES,
  })
  const waiting = new Map<number, PromiseWithResolvers<Uint8Array | undefined>>()
  let open = true
  let nextRequest = 1

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
      const frame = decodeBlobFrame(bytes)
      const answer = waiting.get(frame.request)
      if (frame.kind === 'want' || answer === undefined)
        throw new FootbridgeError('protocol_violation', `an answer of kind ${frame.kind} that nobody asked for`)
      waiting.delete(frame.request)
      answer.resolve(frame.kind === 'block' ? frame.bytes : undefined)
    }
  }
  readAnswers().catch((error: unknown) =>
    end(error instanceof FootbridgeError ? error : new FootbridgeError('peer_unreachable', 'the stream broke', { cause: error })),
  )
  stream.addEventListener('close', () => end(new FootbridgeError('peer_unreachable', 'the stream was closed')), { once: true })

  const ask = async (cid: CID, signal: AbortSignal): Promise<Uint8Array | undefined> => {
    const request = nextRequest++
    const answer = Promise.withResolvers<Uint8Array | undefined>()
    answer.promise.catch(() => undefined)
    waiting.set(request, answer)
    await frames.write(encodeBlobFrame({ kind: 'want', request, cid: cid.bytes }), signal)
    return answer.promise
  }

  return {
    get open() {
      return open
    },
    get free() {
      return open ? MAX_OUTSTANDING_BLOCKS - waiting.size : 0
    },
    async request(cid, signal) {
      if (!open) throw new FootbridgeError('peer_unreachable', 'the stream is closed')
      if (waiting.size >= MAX_OUTSTANDING_BLOCKS) throw new FootbridgeError('rate_limited', 'too many blocks are outstanding')
      try {
        const block = await withDeadline({ timeoutMs: BLOCK_TIMEOUT_MS, what: 'the block', signal }, (inner) => ask(cid, inner))
        if (block !== undefined) await verifyBlock(cid, block)
        return block
      } catch (error) {
        // After a wrong, late or called-off answer the numbers on this stream no longer say what is on the way: start a new one.
        end(error instanceof FootbridgeError ? error : new FootbridgeError('peer_unreachable', 'the request failed', { cause: error }))
        throw error
      }
    },
    close() {
      end(new FootbridgeError('aborted', 'the stream was closed here'))
    },
  }
}
