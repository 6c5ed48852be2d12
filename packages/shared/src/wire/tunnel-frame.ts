/**
 * Frames of the HTTPS tunnel: what stands in the bodies of its requests and answers, in both directions.
 *
 *     frame   kind (1 byte)  length (uvarint)  payload
 *     flow    0x01  received (uvarint)  limit (uvarint)      everything below `received` has come; the other side may send below `limit`
 *     data    0x02  offset (uvarint)  bytes                  bytes of the pipe from `offset` on
 *     end     0x03  offset (uvarint)  code (uvarint)  reason (UTF-8)
 *     wait    0x04  ms (uvarint)                             in a poll: answer within this time, with or without bytes
 *
 * Every body begins with a flow frame, which is how an answer of the bridge is told from one that a proxy made up. Offsets count the bytes of one
 * direction since the tunnel was opened. An `end` with code 0 takes the place of one byte: `received` beyond it says that it has come. An `end` with another
 * code holds at once, whatever is missing.
 * How requests, windows and losses go together: ../tunnel/SPEC.md. Version history: 1, 2026-11-21, first. Frames of unknown kind are skipped.
 */
import { decode as decodeVarint, encode as encodeVarint } from 'uint8-varint'
import { Uint8ArrayList } from 'uint8arraylist'
import { FootbridgeError } from '../errors.ts'
import { MAX_TUNNEL_BODY_BYTES } from '../limits.ts'
import { utf8Decode, utf8Encode } from '../text-codec.ts'

export type FlowFrame = { readonly type: 'flow'; readonly received: number; readonly limit: number }
export type TunnelFrame =
  | FlowFrame
  | { readonly type: 'data'; readonly offset: number; readonly bytes: Uint8Array | Uint8ArrayList }
  | { readonly type: 'end'; readonly offset: number; readonly code: number; readonly reason: string }
  | { readonly type: 'wait'; readonly ms: number }

export const TUNNEL_CONTENT_TYPE = 'application/octet-stream'
const KIND = { flow: 1, data: 2, end: 3, wait: 4 } as const
/** What a WebSocket's close frame has room for. */
const MAX_REASON_BYTES = 123
/** A varint of a safe integer. */
const MAX_VARINT_BYTES = 8
const MAX_FRAME_BYTES = MAX_TUNNEL_BODY_BYTES

/** One body. */
export function encodeTunnelFrames(frames: readonly TunnelFrame[]): Uint8Array<ArrayBuffer> {
  const parts: (Uint8Array | Uint8ArrayList)[] = []
  for (const frame of frames) {
    const payload = payloadOf(frame)
    parts.push(Uint8Array.of(KIND[frame.type]), encodeVarint(length(payload)), ...payload)
  }
  const body = new Uint8Array(length(parts))
  let offset = 0
  for (const part of parts) {
    for (const piece of part instanceof Uint8Array ? [part] : part) {
      body.set(piece, offset)
      offset += piece.length
    }
  }
  return body
}

function payloadOf(frame: TunnelFrame): (Uint8Array | Uint8ArrayList)[] {
  switch (frame.type) {
    case 'flow':
      return [encodeVarint(frame.received), encodeVarint(frame.limit)]
    case 'data':
      return [encodeVarint(frame.offset), frame.bytes]
    case 'end':
      return [encodeVarint(frame.offset), encodeVarint(frame.code), utf8Encode(frame.reason).subarray(0, MAX_REASON_BYTES)]
    case 'wait':
      return [encodeVarint(frame.ms)]
  }
}

const length = (parts: readonly (Uint8Array | Uint8ArrayList)[]): number => parts.reduce((sum, { byteLength }) => sum + byteLength, 0)

export interface TunnelFrameDecoder {
  /** The frames that are whole now. Keeps at most one frame that is not. @throws FootbridgeError `protocol_violation`, and is of no use afterwards. */
  decode(chunk: Uint8Array): TunnelFrame[]
}

/** For a body that comes in pieces. A piece of a frame at the end of a body that was cut is dropped with the decoder. */
export function createTunnelFrameDecoder(): TunnelFrameDecoder {
  const buffer = new Uint8ArrayList<ArrayBufferLike>()
  let isFirst = true

  const next = (): { frame: TunnelFrame | undefined } | undefined => {
    const head = buffer.subarray(0, Math.min(buffer.byteLength, 1 + MAX_VARINT_BYTES))
    const [kind] = head
    if (isFirst && kind !== undefined && kind !== KIND.flow) throw violation('a body that does not begin with a flow frame')
    const size = readVarint(head, 1)
    if (size === undefined) {
      if (head.length > MAX_VARINT_BYTES) throw violation('a length without end')
      return undefined
    }
    if (size.value > MAX_FRAME_BYTES) throw violation('a frame over the limit')
    if (buffer.byteLength < size.next + size.value) return undefined
    const payload = buffer.subarray(size.next, size.next + size.value)
    buffer.consume(size.next + size.value)
    isFirst = false
    return { frame: decodePayload(kind ?? 0, payload) }
  }

  return {
    decode(chunk) {
      buffer.append(chunk)
      const frames: TunnelFrame[] = []
      for (let found = next(); found !== undefined; found = next()) if (found.frame !== undefined) frames.push(found.frame)
      return frames
    },
  }
}

/** A whole body; what is cut off at its end is dropped. @throws FootbridgeError `protocol_violation` */
export function decodeTunnelFrames(body: Uint8Array): TunnelFrame[] {
  const frames = createTunnelFrameDecoder().decode(body)
  if (frames[0]?.type !== 'flow') throw violation('a body that does not begin with a flow frame')
  return frames
}

function decodePayload(kind: number, payload: Uint8Array): TunnelFrame | undefined {
  if (kind < KIND.flow || kind > KIND.wait) return undefined
  const first = readVarint(payload, 0)
  if (first === undefined) throw violation('a frame without its number')
  const { value, next } = first
  if (kind === KIND.data) return { type: 'data', offset: value, bytes: payload.subarray(next) }
  if (kind === KIND.wait) return { type: 'wait', ms: value }
  const second = readVarint(payload, next)
  if (second === undefined) throw violation('a frame without its second number')
  if (kind === KIND.flow) return { type: 'flow', received: value, limit: second.value }
  return { type: 'end', offset: value, code: second.value, reason: decodeReason(payload.subarray(second.next)) }
}

function decodeReason(bytes: Uint8Array): string {
  try {
    return bytes.length > MAX_REASON_BYTES ? '' : utf8Decode(bytes)
  } catch {
    return ''
  }
}

/** Undefined when the bytes end before the number does. */
function readVarint(bytes: Uint8Array, offset: number): { value: number; next: number } | undefined {
  const last = bytes.subarray(offset, offset + MAX_VARINT_BYTES).findIndex((byte) => byte < 0x80)
  if (last === -1) return undefined
  const value = decodeVarint(bytes.subarray(offset, offset + last + 1))
  if (!Number.isSafeInteger(value)) throw violation('a number over 53 bits')
  return { value, next: offset + last + 1 }
}

const violation = (what: string): FootbridgeError => new FootbridgeError('protocol_violation', what)
