/**
 * A direct message of universal-connectivity, `/universal-connectivity/dm/1.0.0`, as its peers write it: one stream for each message, both frames
 * prefixed with their length as unsigned varint.
 *
 *     asker                                   other side
 *       │ request {metadata, content, type} ────►│   keeps it
 *       │◄──────── response {metadata, status}   │   then both close
 *
 *     Metadata  1 clientVersion string   2 timestamp int64, milliseconds since the epoch by the sender's clock
 *     Request   1 metadata               2 content string    3 type string, "text/plain"
 *     Response  1 metadata               2 status enum (0 unknown, 200 OK, 500 ERROR)   3 statusText string, optional
 *
 * proto3: a field with its default value is not written. Fields that are not known are skipped. No message has an id, so one whose answer was lost may
 * come twice. Their peers wait five seconds for the answer.
 * Vector, a request of client "0.0.1" at 1700000000000 saying "hello" (length first): 23 0a0e 0a05302e302e31 1080d095ffbc31 1205 68656c6c6f 1a0a 746578742f706c61696e
 * Not here: streams and deadlines (direct-message-asker.ts, direct-message-server.ts).
 */
import { utf8Encode } from '@footbridge/shared/text-codec'
import { bytesField, bytesOf, concat, numberOf, readFields, textOf, varintField, type FieldValue } from '../uc-wire/fields.ts'

export const TEXT_PLAIN = 'text/plain'

export const STATUS_UNKNOWN = 0
export const STATUS_OK = 200
export const STATUS_ERROR = 500

/** What the longest text of ours takes in UTF-8, and its head. */
export const MAX_DIRECT_MESSAGE_BYTES = 64 * 1024

export interface Metadata {
  readonly clientVersion: string
  /** Milliseconds since the epoch by the sender's clock. */
  readonly timestamp: number
}

export interface DirectMessageRequest {
  readonly metadata: Metadata | undefined
  readonly content: string
  readonly type: string
}

export interface DirectMessageResponse {
  readonly metadata: Metadata | undefined
  readonly status: number
  readonly statusText: string | undefined
}

export function encodeRequest({ metadata, content, type }: DirectMessageRequest): Uint8Array {
  return concat([...metadataField(metadata), ...textField(2, content), ...textField(3, type)])
}

/** @throws FootbridgeError `protocol_violation` */
export function decodeRequest(bytes: Uint8Array): DirectMessageRequest {
  const fields = new Map(readFields(bytes))
  return { metadata: metadataOf(fields.get(1)), content: textIn(fields, 2), type: textIn(fields, 3) }
}

export function encodeResponse({ metadata, status, statusText }: DirectMessageResponse): Uint8Array {
  return concat([
    ...metadataField(metadata),
    ...(status === STATUS_UNKNOWN ? [] : [varintField(2, BigInt(status))]),
    ...(statusText === undefined ? [] : [bytesField(3, utf8Encode(statusText))]),
  ])
}

/** @throws FootbridgeError `protocol_violation` */
export function decodeResponse(bytes: Uint8Array): DirectMessageResponse {
  const fields = new Map(readFields(bytes))
  const status = fields.get(2)
  const statusText = fields.get(3)
  return {
    metadata: metadataOf(fields.get(1)),
    status: status === undefined ? STATUS_UNKNOWN : Number(BigInt.asIntN(32, numberOf(status))),
    statusText: statusText === undefined ? undefined : textOf(statusText),
  }
}

function metadataField(metadata: Metadata | undefined): Uint8Array[] {
  if (metadata === undefined) return []
  const time = BigInt(Math.trunc(metadata.timestamp))
  return [bytesField(1, concat([...textField(1, metadata.clientVersion), ...(time === 0n ? [] : [varintField(2, time)])]))]
}

function metadataOf(value: FieldValue | undefined): Metadata | undefined {
  if (value === undefined) return undefined
  const fields = new Map(readFields(bytesOf(value)))
  const time = fields.get(2)
  return { clientVersion: textIn(fields, 1), timestamp: time === undefined ? 0 : Number(BigInt.asIntN(64, numberOf(time))) }
}

function textField(number: number, text: string): Uint8Array[] {
  return text === '' ? [] : [bytesField(number, utf8Encode(text))]
}

function textIn(fields: ReadonlyMap<number, FieldValue>, number: number): string {
  const value = fields.get(number)
  return value === undefined ? '' : textOf(value)
}
