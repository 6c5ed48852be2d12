/**
 * Protobuf as far as universal-connectivity's messages need it: varints, strings and bytes, every bound checked, nothing allocated that a length only claims.
 * By hand, because two small messages are no reason for a schema compiler in a page's bundle. Fields that a reader does not know are skipped; of a field that
 * stands twice the last counts. Not here: the messages (uc-dm/direct-message.ts, uc-discovery/peer-record.ts).
 */
import { FootbridgeError } from '@footbridge/shared/errors'

export type FieldValue = bigint | Uint8Array

const MAX_VARINT_BYTES = 10
const MAX_FIELD_NUMBER = 2 ** 29 - 1
/** Fields of one message: more than any of them has, few enough that a hostile one costs nothing. */
const MAX_FIELDS = 1_000

const malformed = (what: string): FootbridgeError => new FootbridgeError('protocol_violation', `malformed protobuf: ${what}`)

/** Fields of wire types 0 and 2 in the order in which they stand. @throws FootbridgeError `protocol_violation` */
export function readFields(bytes: Uint8Array, maxFields: number = MAX_FIELDS): (readonly [number: number, value: FieldValue])[] {
  const fields: (readonly [number, FieldValue])[] = []
  let offset = 0

  const varint = (): bigint => {
    let value = 0n
    for (let index = 0; index < MAX_VARINT_BYTES; index++) {
      const byte = bytes[offset++]
      if (byte === undefined) throw malformed('a varint is cut off')
      value |= BigInt(byte & 0x7f) << BigInt(7 * index)
      if (byte < 0x80) {
        if (value >= 1n << 64n) throw malformed('a varint is over 64 bits')
        return value
      }
    }
    throw malformed('a varint without an end')
  }
  const take = (length: bigint): Uint8Array => {
    if (length > BigInt(bytes.length - offset)) throw malformed('a field is longer than the message')
    const start = offset
    offset += Number(length)
    return bytes.subarray(start, offset)
  }

  while (offset < bytes.length) {
    if (fields.length >= maxFields) throw malformed('too many fields')
    const tag = varint()
    const number = tag >> 3n
    if (number === 0n || number > BigInt(MAX_FIELD_NUMBER)) throw malformed('a field number out of range')
    const wireType = Number(tag & 7n)
    if (wireType === 0) fields.push([Number(number), varint()])
    else if (wireType === 2) fields.push([Number(number), take(varint())])
    else if (wireType === 1) take(8n)
    else if (wireType === 5) take(4n)
    else throw malformed(`wire type ${wireType}`)
  }
  return fields
}

export function varintField(number: number, value: bigint): Uint8Array {
  return Uint8Array.from([...encodeVarint(BigInt(number) << 3n), ...encodeVarint(BigInt.asUintN(64, value))])
}

export function bytesField(number: number, value: Uint8Array): Uint8Array {
  return concat([Uint8Array.from([...encodeVarint((BigInt(number) << 3n) | 2n), ...encodeVarint(BigInt(value.length))]), value])
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

/** @throws FootbridgeError `protocol_violation` when it is no UTF-8 */
export function textOf(value: FieldValue): string {
  if (typeof value === 'bigint') throw malformed('a number in place of a text')
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value)
  } catch (cause) {
    throw new FootbridgeError('protocol_violation', 'malformed protobuf: a text that is not UTF-8', { cause })
  }
}

export function numberOf(value: FieldValue): bigint {
  if (typeof value !== 'bigint') throw malformed('bytes in place of a number')
  return value
}

export function bytesOf(value: FieldValue): Uint8Array {
  if (typeof value === 'bigint') throw malformed('a number in place of bytes')
  return value
}

function encodeVarint(value: bigint): number[] {
  const bytes: number[] = []
  let rest = value
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return bytes
}
