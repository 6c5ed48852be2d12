/**
 * The few parts of protobuf that circuit-relay-v2 needs: varints and length-delimited fields, read strictly and with every bound checked.
 * Why by hand: the messages are small and hostile; this reads them without a schema compiler and never allocates what a length field claims.
 */
import { FootbridgeError } from '@footbridge/shared/errors'

export interface ProtoField {
  readonly number: number
  /** A number for wire type 0, bytes for wire type 2; other wire types are skipped. */
  readonly value: bigint | Uint8Array
}

const malformed = (what: string): FootbridgeError => new FootbridgeError('protocol_violation', `malformed protobuf: ${what}`)

/** Fields in the order in which they stand. @throws FootbridgeError `protocol_violation` */
export function readFields(bytes: Uint8Array): ProtoField[] {
  const fields: ProtoField[] = []
  let offset = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[offset++]
      if (byte === undefined) throw malformed('a varint is cut off')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) {
        if (value >= 1n << 64n) throw malformed('a varint is over 64 bits')
        return value
      }
    }
    throw malformed('a varint has more than ten bytes')
  }
  const skip = (length: number): Uint8Array => {
    if (length > bytes.length - offset) throw malformed('a field is longer than the message')
    const part = bytes.subarray(offset, offset + length)
    offset += length
    return part
  }
  while (offset < bytes.length) {
    const tag = varint()
    const number = Number(tag >> 3n)
    if (number === 0 || number >= 2 ** 29) throw malformed('a field number is out of range')
    switch (Number(tag & 7n)) {
      case 0:
        fields.push({ number, value: varint() })
        break
      case 1:
        skip(8)
        break
      case 2: {
        const length = varint()
        if (length > BigInt(bytes.length)) throw malformed('a field is longer than the message')
        fields.push({ number, value: skip(Number(length)) })
        break
      }
      case 5:
        skip(4)
        break
      default:
        throw malformed('an unknown wire type')
    }
  }
  return fields
}

/** Gathers fields; an undefined value writes nothing. */
export class ProtoWriter {
  readonly #bytes: number[] = []

  varint(number: number, value: number | bigint | undefined): this {
    if (value === undefined) return this
    this.#varint(BigInt(number) << 3n)
    this.#varint(BigInt(value))
    return this
  }

  bytes(number: number, value: Uint8Array | undefined): this {
    if (value === undefined) return this
    this.#varint((BigInt(number) << 3n) | 2n)
    this.#varint(BigInt(value.length))
    for (const byte of value) this.#bytes.push(byte)
    return this
  }

  finish(): Uint8Array<ArrayBuffer> {
    return Uint8Array.from(this.#bytes)
  }

  #varint(value: bigint): void {
    let rest = value
    while (rest >= 0x80n) {
      this.#bytes.push(Number(rest & 0x7fn) | 0x80)
      rest >>= 7n
    }
    this.#bytes.push(Number(rest))
  }
}
