/**
 * Frames of `/footbridge/message/1.0.0`: people's messages between two peers, over any path.
 *
 *     sender                                receiver
 *       │ profile {name, picture}              │   optional, once, first
 *       │ text {id, at, text}  ───────────────►│   stored durably, then
 *       │◄────────────────────────────  ack {id}   delivered
 *       │ file {id, at, cid, name, size, media}│
 *       │◄──────────────── refused {id, reason}│   never to be sent again
 *
 * The opener of a stream sends; answers come back on the same stream. To send the other way, open a stream the other way. A stream may carry
 * many messages and may be closed by either side between two. A receiver acknowledges an id that it has already stored again and keeps it once, so
 * a sender that saw no answer sends again on the next path.
 * Version history: 1.0.0, 2026-11-21, first. Frames of unknown type are skipped, unknown fields ignored.
 */
import * as v from 'valibot'
import { MAX_FILE_NAME_LENGTH, MAX_MESSAGE_ID_LENGTH, MAX_NAME_LENGTH, MAX_PICTURE_LENGTH, MAX_TEXT_LENGTH } from '../limits.ts'
import { decodeJsonFrame } from './json-frame.ts'

const id = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_MESSAGE_ID_LENGTH))
/** When the sender wrote it, by the sender's clock: milliseconds since the epoch. */
const at = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(8_640_000_000_000_000))

const schema = v.variant('type', [
  v.object({
    type: v.literal('profile'),
    name: v.pipe(v.string(), v.maxLength(MAX_NAME_LENGTH)),
    /** A `data:` URL of a WebP, PNG or JPEG. */
    picture: v.optional(
      v.pipe(v.string(), v.maxLength(MAX_PICTURE_LENGTH), v.regex(/^data:image\/(webp|png|jpeg);base64,[A-Za-z0-9+/=]+$/)),
    ),
  }),
  v.object({ type: v.literal('text'), id, at, text: v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_TEXT_LENGTH)) }),
  v.object({
    type: v.literal('file'),
    id,
    at,
    /** CID, version 1, in its usual text form. */
    cid: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
    name: v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_FILE_NAME_LENGTH)),
    /** Bytes of the file, not of its DAG. */
    size: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER)),
    /** Media type (RFC 6838); empty when unknown. */
    media: v.pipe(v.string(), v.maxLength(127)),
  }),
  v.object({ type: v.literal('ack'), id }),
  v.object({ type: v.literal('refused'), id, reason: v.picklist(['full', 'malformed', 'blocked']) }),
])

export type MessageFrame = v.InferOutput<typeof schema>
export type MessageFrameOf<Type extends MessageFrame['type']> = Extract<MessageFrame, { type: Type }>

/** See decodeJsonFrame for what is returned and thrown. */
export function decodeMessageFrame(bytes: Uint8Array): MessageFrame | undefined {
  return decodeJsonFrame(schema, bytes)
}
