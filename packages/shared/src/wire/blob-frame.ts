/**
 * Frames of `/footbridge/blob/1.0.0`: blocks by CID. Each frame stands behind an unsigned-varint length.
 *
 *     want    0x01  request (uvarint)  CID bytes
 *     block   0x02  request (uvarint)  the block's bytes
 *     absent  0x03  request (uvarint)              the peer has no such block, or none for you
 *
 * The opener of the stream wants, the other side answers, in any order; at most MAX_OUTSTANDING_BLOCKS wants are unanswered at a time, which is
 * the only flow control that WebRTC needs. The opener verifies every block against its CID. The stream may stay open between files.
 * Version history: 1.0.0, 2026-11-21, first. A frame of unknown kind is an error: kinds are added under a new protocol id.
 */
import { decode as decodeVarint, encode as encodeVarint } from 'uint8-varint'
import { FootbridgeError } from '../errors.ts'
import { MAX_BLOB_FRAME_BYTES } from '../limits.ts'

const KIND = { want: 1, block: 2, absent: 3 } as const
/** A CIDv1 with a 64-byte digest and room for long codec numbers. */
const MAX_CID_BYTES = 128

export type BlobFrame =
  | { readonly kind: 'want'; readonly request: number; readonly cid: Uint8Array }
  | { readonly kind: 'block'; readonly request: number; readonly bytes: Uint8Array }
  | { readonly kind: 'absent'; readonly request: number }

/** The frame's head and body as two parts, so that a block of a megabyte is not copied to be framed. */
export function encodeBlobFrame(frame: BlobFrame): Uint8Array[] {
  const number = encodeVarint(frame.request)
  const head = new Uint8Array(1 + number.length)
  head[0] = KIND[frame.kind]
  head.set(number, 1)
  switch (frame.kind) {
    case 'want':
      return [head, frame.cid]
    case 'block':
      return [head, frame.bytes]
    case 'absent':
      return [head]
  }
}

/** @throws FootbridgeError `protocol_violation` or `too_large`. Byte fields of the result are views into `bytes`. */
export function decodeBlobFrame(bytes: Uint8Array): BlobFrame {
  if (bytes.length > MAX_BLOB_FRAME_BYTES) throw new FootbridgeError('too_large', `a blob frame of ${bytes.length} bytes is over the limit`)
  const { request, bodyStart } = decodeRequest(bytes)
  const body = bytes.subarray(bodyStart)
  switch (bytes[0]) {
    case KIND.want:
      if (body.length === 0 || body.length > MAX_CID_BYTES)
        throw new FootbridgeError('protocol_violation', 'a want without a CID of fair length')
      return { kind: 'want', request, cid: body }
    case KIND.block:
      return { kind: 'block', request, bytes: body }
    case KIND.absent:
      if (body.length > 0) throw new FootbridgeError('protocol_violation', 'bytes after an absent frame')
      return { kind: 'absent', request }
    default:
      throw new FootbridgeError('protocol_violation', `a blob frame of unknown kind ${String(bytes[0])}`)
  }
}

function decodeRequest(bytes: Uint8Array): { request: number; bodyStart: number } {
  // Five bytes hold every request number below 2^32; a longer varint is refused before it is read.
  const end = bytes.subarray(1, 6).findIndex((byte) => byte < 0x80)
  if (end === -1) throw new FootbridgeError('protocol_violation', 'a blob frame without a request number')
  const request = decodeVarint(bytes.subarray(1, 2 + end))
  if (request > 0xffffffff) throw new FootbridgeError('protocol_violation', 'a request number over 32 bits')
  return { request, bodyStart: 2 + end }
}
