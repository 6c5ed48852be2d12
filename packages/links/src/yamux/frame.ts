/**
 * A yamux frame's header, 12 bytes, big-endian (hashicorp/yamux spec.md, as libp2p's `/yamux/1.0.0`):
 *
 *     version 1 | type 1 | flags 2 | stream id 4 | length 4
 *
 * `length`: of the data that follows; of the window's growth; a ping's opaque value; a go-away's code.
 */
export const HEADER_BYTES = 12

export const TYPE = { data: 0, windowUpdate: 1, ping: 2, goAway: 3 } as const
export const FLAG = { syn: 1, ack: 2, fin: 4, rst: 8 } as const
export const GO_AWAY = { normal: 0, protocolError: 1, internalError: 2 } as const

/** What each stream may send at first, both ways; the specification fixes it. */
export const INITIAL_WINDOW_BYTES = 256 * 1024

/** With its header one full noise record: what is longer would be cut there into a long record and a very short one. */
export const MAX_DATA_BYTES = 65_535 - 16 - HEADER_BYTES

export function writeHeader(bytes: Uint8Array, offset: number, type: number, flags: number, streamId: number, length: number): void {
  bytes[offset] = 0
  bytes[offset + 1] = type
  bytes[offset + 2] = flags >>> 8
  bytes[offset + 3] = flags
  bytes[offset + 4] = streamId >>> 24
  bytes[offset + 5] = streamId >>> 16
  bytes[offset + 6] = streamId >>> 8
  bytes[offset + 7] = streamId
  bytes[offset + 8] = length >>> 24
  bytes[offset + 9] = length >>> 16
  bytes[offset + 10] = length >>> 8
  bytes[offset + 11] = length
}

export function createHeader(type: number, flags: number, streamId: number, length: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES)
  writeHeader(bytes, 0, type, flags, streamId, length)
  return bytes
}
