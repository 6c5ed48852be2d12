/**
 * The receiving half of a byte pipe: takes pieces in any order and any number of times, gives the bytes once and in order. Keeps at most one window.
 * No I/O, no clock.
 */
import { Uint8ArrayList } from 'uint8arraylist'
import { FootbridgeError } from '../errors.ts'

export interface PipeReceiver {
  /** All below this has come, the end counted as one byte. */
  readonly received: number
  /** The other side may send below this. It never shrinks. */
  readonly limit: number
  /** Bytes kept: in order but not taken, and those that came early. */
  readonly kept: number
  /** The end has come and all bytes before it have been taken. */
  readonly isFinished: boolean
  /** Bytes that came before, or beyond the limit, are dropped. @throws FootbridgeError `protocol_violation` for bytes behind the end. */
  receive(offset: number, bytes: Uint8Array): void
  /** @throws FootbridgeError `protocol_violation` for an end elsewhere than before, or before bytes that have come. */
  receiveEnd(offset: number): void
  /** What is next, once. Undefined when there is nothing. */
  take(): Uint8ArrayList | undefined
  clear(): void
}

/** Pieces that may wait for an earlier one; the peer has a couple of requests on the way, duplicates included. */
const MAX_EARLY_PIECES = 16

export function createPipeReceiver(windowBytes: number): PipeReceiver {
  const ready = new Uint8ArrayList<ArrayBufferLike>()
  /** By offset, ascending; may overlap. */
  let early: { readonly offset: number; readonly bytes: Uint8Array }[] = []
  let earlyBytes = 0
  let inOrder = 0
  let taken = 0
  let end: number | undefined

  const append = (offset: number, bytes: Uint8Array): void => {
    const fresh = bytes.subarray(inOrder - offset)
    ready.append(fresh)
    inOrder += fresh.length
  }

  const appendEarly = (): void => {
    while (early[0] !== undefined && early[0].offset <= inOrder) {
      const [{ offset, bytes }] = early
      if (offset + bytes.length > inOrder) append(offset, bytes)
      earlyBytes -= bytes.length
      early.shift()
    }
  }

  /** One that does not fit is dropped: it is sent again, as if lost. */
  const keep = (offset: number, bytes: Uint8Array): void => {
    const known = early.find((piece) => piece.offset === offset)
    if (known !== undefined && known.bytes.length >= bytes.length) return
    const others = early.filter((piece) => piece !== known)
    const othersBytes = earlyBytes - (known?.bytes.length ?? 0)
    if (others.length >= MAX_EARLY_PIECES || othersBytes + bytes.length > windowBytes) return
    early = [...others, { offset, bytes }].sort((one, other) => one.offset - other.offset)
    earlyBytes = othersBytes + bytes.length
  }

  return {
    get received() {
      return end === inOrder ? inOrder + 1 : inOrder
    },
    get limit() {
      return taken + windowBytes
    },
    get kept() {
      return ready.byteLength + earlyBytes
    },
    get isFinished() {
      return end !== undefined && taken === end
    },
    receive(offset, bytes) {
      if (end !== undefined && offset + bytes.length > end) throw new FootbridgeError('protocol_violation', 'bytes behind the end')
      const room = bytes.subarray(0, Math.max(0, taken + windowBytes - offset))
      if (room.length === 0 || offset + room.length <= inOrder) return
      if (offset > inOrder) return keep(offset, room)
      append(offset, room)
      appendEarly()
    },
    receiveEnd(offset) {
      const last = early.reduce((most, piece) => Math.max(most, piece.offset + piece.bytes.length), inOrder)
      if (offset < last || (end !== undefined && end !== offset))
        throw new FootbridgeError('protocol_violation', 'two ends, or one before its bytes')
      end = offset
    },
    take() {
      if (ready.byteLength === 0) return undefined
      const bytes = ready.sublist()
      ready.consume(bytes.byteLength)
      taken += bytes.byteLength
      return bytes
    },
    clear() {
      ready.consume(ready.byteLength)
      early = []
      earlyBytes = 0
    },
  }
}
