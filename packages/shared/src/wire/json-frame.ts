/**
 * A JSON frame as it stands on a Footbridge stream: UTF-8 JSON inside a length prefix (unsigned varint, written by the stream layer).
 * One decode function for every JSON protocol, so that each rejects bad input in the same typed way.
 */
import * as v from 'valibot'
import { FootbridgeError } from '../errors.ts'
import { MAX_FRAME_BYTES } from '../limits.ts'
import { utf8Decode, utf8Encode } from '../text-codec.ts'

/** @throws FootbridgeError `too_large` when the frame would be over MAX_FRAME_BYTES. */
export function encodeJsonFrame(value: unknown): Uint8Array<ArrayBuffer> {
  const bytes = utf8Encode(JSON.stringify(value))
  if (bytes.length > MAX_FRAME_BYTES)
    throw new FootbridgeError('too_large', `a frame of ${bytes.length} bytes is over the limit of ${MAX_FRAME_BYTES}`)
  return bytes
}

/**
 * @returns the frame, or undefined when its `type` is one that this version does not know: such frames are skipped, so that later versions can add some.
 * @throws FootbridgeError `protocol_violation` for anything else that does not fit the schema; `too_large` over the limit.
 */
export function decodeJsonFrame<const Schema extends FrameSchema>(schema: Schema, bytes: Uint8Array): v.InferOutput<Schema> | undefined {
  if (bytes.length > MAX_FRAME_BYTES)
    throw new FootbridgeError('too_large', `a frame of ${bytes.length} bytes is over the limit of ${MAX_FRAME_BYTES}`)
  let value: unknown
  try {
    value = JSON.parse(utf8Decode(bytes))
  } catch (cause) {
    throw new FootbridgeError('protocol_violation', 'the frame is not JSON in UTF-8', { cause })
  }
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
  if (isFrameOfUnknownType(schema, value)) return undefined
  throw new FootbridgeError('protocol_violation', `the frame does not fit: ${v.summarize(result.issues).slice(0, 200)}`)
}

type FrameOption = v.ObjectSchema<{ readonly type: v.LiteralSchema<string, undefined> } & v.ObjectEntries, undefined>
export type FrameSchema = v.VariantSchema<'type', FrameOption[], undefined>

function isFrameOfUnknownType(schema: FrameSchema, value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('type' in value) || typeof value.type !== 'string') return false
  return !schema.options.some((option) => option.entries.type.literal === value.type)
}
