/**
 * Length-prefixed frames (unsigned varint) over a libp2p stream, with a cap that is checked before a frame is buffered.
 * Why not lpStream: it reads a length of any number of continuation bytes, one at a time, without an end.
 */
import type { Stream } from '@libp2p/interface'
import { byteStream } from '@libp2p/utils'
import { FootbridgeError } from '@footbridge/shared/errors'
import { Uint8ArrayList } from 'uint8arraylist'

/** Four bytes of varint hold 2^28, far above every frame cap. */
const MAX_LENGTH_BYTES = 4

export interface FrameStream {
  /**
   * The next frame, or undefined when the other side has closed.
   * @throws FootbridgeError `too_large`, `protocol_violation`, `peer_unreachable` when the stream broke, or the signal's reason
   */
  read(signal?: AbortSignal): Promise<Uint8Array | undefined>
  /** Writes one frame, given in parts, and waits while the stream is full. @throws FootbridgeError `peer_unreachable` */
  write(parts: readonly Uint8Array[], signal?: AbortSignal): Promise<void>
}

export interface FrameLimits {
  readonly maxFrameBytes: number
  /** Bytes that may arrive before they are read; the stream is reset beyond. Default: two frames. */
  readonly maxBufferBytes?: number
}

export function frameStream(
  stream: Stream,
  { maxFrameBytes, maxBufferBytes = 2 * (maxFrameBytes + MAX_LENGTH_BYTES) }: FrameLimits,
): FrameStream {
  const bytes = byteStream(stream, { maxBufferSize: maxBufferBytes })

  const readLength = async (signal: AbortSignal | undefined): Promise<number> => {
    let length = 0
    for (let index = 0; index < MAX_LENGTH_BYTES; index++) {
      const byte = (await bytes.read({ bytes: 1, ...(signal && { signal }) })).get(0)
      length |= (byte & 0x7f) << (7 * index)
      if (byte < 0x80) return length
    }
    throw new FootbridgeError('protocol_violation', 'a frame length without an end')
  }

  return {
    async read(signal) {
      try {
        const length = await readLength(signal)
        if (length > maxFrameBytes)
          throw new FootbridgeError('too_large', `a frame of ${length} bytes is over the limit of ${maxFrameBytes}`)
        if (length === 0) return new Uint8Array(0)
        return (await bytes.read({ bytes: length, ...(signal && { signal }) })).subarray()
      } catch (error) {
        if (error instanceof Error && error.name === 'UnexpectedEOFError') return undefined
        throw translate(error, signal)
      }
    },

    async write(parts, signal) {
      const length = parts.reduce((sum, part) => sum + part.length, 0)
      try {
        await bytes.write(new Uint8ArrayList(encodeLength(length), ...parts), signal ? { signal } : {})
      } catch (error) {
        throw translate(error, signal)
      }
    },
  }
}

function encodeLength(length: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = length; bytes.length < MAX_LENGTH_BYTES; rest >>>= 7) {
    bytes.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80)
    if (rest < 0x80) return Uint8Array.from(bytes)
  }
  throw new FootbridgeError('too_large', `a frame of ${length} bytes cannot be written`)
}

function translate(error: unknown, signal: AbortSignal | undefined): unknown {
  if (error instanceof FootbridgeError) return error
  if (signal?.aborted === true) return signal.reason
  return new FootbridgeError('peer_unreachable', 'the stream broke', { cause: error })
}
