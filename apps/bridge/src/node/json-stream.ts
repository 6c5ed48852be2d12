/**
 * JSON frames on a libp2p stream, both ways without waiting: whoever sends to many readers must not be held up by one, and what is read is handed on as it comes.
 * Not here: what to do with a full stream; presence and control each decide.
 */
import type { Stream } from '@libp2p/interface'
import { LengthPrefixedDecoder } from '@libp2p/utils'
import { MAX_FRAME_BYTES } from '@footbridge/shared/limits'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'

/**
 * Hands on the bytes of each frame. The stream is reset when `onFrame` throws, when its framing is broken, and when the remote ends its side.
 * Why not lpStream: a read that waits, as it does all day on an idle browser's streams, keeps generators, promises and listeners, 5 KB a stream.
 */
export function readFrames(stream: Stream, onFrame: (bytes: Uint8Array) => void): void {
  let prefixBytes = 0
  const decoder = new LengthPrefixedDecoder({
    maxDataLength: MAX_FRAME_BYTES,
    maxBufferSize: 2 * MAX_FRAME_BYTES,
    // Its own would take a length that is written with more bytes than it needs for a shorter one.
    lengthDecoder: (data) => {
      const prefix = readLength(data)
      prefixBytes = prefix.bytes
      return prefix.length
    },
    encodingLength: () => prefixBytes,
  })
  const end = (): void => {
    if (stream.status === 'open') stream.abort(new Error('the remote ended its side'))
  }
  stream.addEventListener('message', ({ data }) => {
    try {
      for (const frame of decoder.decode(data)) {
        // A frame before it may have ended the stream.
        if (stream.status !== 'open') return
        onFrame(frame.subarray())
      }
    } catch (error) {
      stream.abort(error instanceof Error ? error : new Error('a frame could not be read'))
    }
  })
  stream.addEventListener('remoteCloseWrite', end)
  // What came before is handed on in a microtask that was queued before this one.
  if (stream.remoteWriteStatus !== 'writable') queueMicrotask(end)
}

/** @returns false when the stream is full. @throws when it is closed. */
export function sendJsonFrame(stream: Stream, frame: unknown): boolean {
  return stream.send(prefixed(encodeJsonFrame(frame)))
}

/** With its length (unsigned varint) before it. */
export function prefixed(body: Uint8Array): Uint8Array {
  const prefix: number[] = []
  for (let rest = body.length; ; rest >>= 7) {
    if (rest < 0x80) {
      prefix.push(rest)
      break
    }
    prefix.push((rest & 0x7f) | 0x80)
  }
  return Buffer.concat([Uint8Array.from(prefix), body])
}

/** Of any number that fits a frame, padded or not. */
const MAX_PREFIX_BYTES = 5

/** @throws RangeError when there is no whole length yet, as LengthPrefixedDecoder wants it. */
function readLength(data: { readonly byteLength: number; subarray(start: number, end: number): Uint8Array }): {
  readonly length: number
  readonly bytes: number
} {
  const start = data.subarray(0, Math.min(MAX_PREFIX_BYTES, data.byteLength))
  let length = 0
  for (const [index, byte] of start.entries()) {
    length += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return { length, bytes: index + 1 }
  }
  if (start.length === MAX_PREFIX_BYTES) throw new Error('the length of a frame is too long')
  throw new RangeError('the length of a frame has not all come')
}
