/**
 * The sending half of a byte pipe: keeps what the other side has not acknowledged, so that any part of it can be sent again. No I/O, no clock.
 * Not here: which request carries what (flights.ts for the client; the bridge keeps a cursor for each answer).
 */
import { Uint8ArrayList } from 'uint8arraylist'
import { FootbridgeError } from '../errors.ts'

export interface PipeSender {
  /** Bytes that have been written, and the offset of the end. */
  readonly written: number
  /** All below this has come, the end counted as one byte. */
  readonly acknowledged: number
  /** Bytes kept. */
  readonly pending: number
  readonly isFinished: boolean
  write(bytes: Uint8Array | Uint8ArrayList): void
  /** No bytes after these. */
  finish(): void
  /** What the other side says; older news than known is ignored. @throws FootbridgeError `protocol_violation` for what was never sent. */
  acknowledge(received: number, limit: number): void
  /** Up to `maxBytes` from `from` on that the other side has room for; undefined when there are none. */
  read(from: number, maxBytes: number): { readonly offset: number; readonly bytes: Uint8ArrayList } | undefined
  /** Forgets everything: nothing will be sent any more. */
  clear(): void
}

export function createPipeSender(): PipeSender {
  const kept = new Uint8ArrayList<ArrayBufferLike>()
  let written = 0
  let acknowledged = 0
  let limit = 0
  let isFinished = false

  return {
    get written() {
      return written
    },
    get acknowledged() {
      return acknowledged
    },
    get pending() {
      return kept.byteLength
    },
    get isFinished() {
      return isFinished
    },
    write(bytes) {
      if (isFinished) throw new TypeError('the pipe was finished')
      kept.append(bytes)
      written += bytes.byteLength
    },
    finish() {
      isFinished = true
    },
    acknowledge(received, newLimit) {
      if (received > written + (isFinished ? 1 : 0))
        throw new FootbridgeError('protocol_violation', 'bytes acknowledged that were never sent')
      limit = Math.max(limit, newLimit)
      if (received <= acknowledged) return
      kept.consume(Math.min(received, written) - Math.min(acknowledged, written))
      acknowledged = received
    },
    read(from, maxBytes) {
      const offset = Math.max(from, acknowledged)
      const stop = Math.min(written, limit, offset + maxBytes)
      if (stop <= offset) return undefined
      const start = written - kept.byteLength
      return { offset, bytes: kept.sublist(offset - start, stop - start) }
    },
    clear() {
      kept.consume(kept.byteLength)
      acknowledged = written + 1
      isFinished = true
    },
  }
}
