/**
 * Buffers for sealed records, used again once the socket has taken them: making and collecting 64 KiB for every one was a fifth of a busy relay's time.
 * One pool serves a process.
 */

/** A full batch of a muxer: two records and what belongs to them. */
const POOLED_BYTES = 132 * 1024
/** Below, Node's own slab is as good. */
const MIN_POOLED_BYTES = 16 * 1024
/** About 8 MB; what is returned beyond is left to the collector. */
const MAX_FREE = 64

export interface BufferPool {
  /** @returns exactly so many bytes, with whatever was in them. */
  readonly take: (bytes: number) => Uint8Array
  /** The bytes of `take` are not needed any more. Nothing happens to bytes that are not of the pool. */
  readonly release: (bytes: Uint8Array) => void
}

export function createBufferPool(): BufferPool {
  const free: ArrayBuffer[] = []
  return {
    take(bytes) {
      if (bytes < MIN_POOLED_BYTES || bytes > POOLED_BYTES) return Buffer.allocUnsafe(bytes)
      return Buffer.from(free.pop() ?? Buffer.allocUnsafeSlow(POOLED_BYTES).buffer, 0, bytes)
    },
    release({ buffer }) {
      if (buffer instanceof ArrayBuffer && buffer.byteLength === POOLED_BYTES && free.length < MAX_FREE) free.push(buffer)
    },
  }
}
