/**
 * STUN messages (RFC 8489), as far as a Binding needs them: read requests and answers, write both. Pure; what comes from outside is checked whole before
 * anything is believed.
 *
 *     type 2 bytes (two zero bits first) | length 2 | magic cookie 4 | transaction id 12 | attributes: type 2, length 2, value, zeros up to 4
 *
 * Not here: who gets an answer (allowance.ts), sockets (stun-server.ts), messages without the cookie (RFC 3489, gone since 2008), passwords: a Binding needs none.
 */
import { isIPv4 } from 'node:net'
import { crc32 } from 'node:zlib'

export const HEADER_BYTES = 20
const MAGIC_COOKIE = 0x2112a442
/** No Binding is longer than a packet that every network carries whole. */
const MAX_MESSAGE_BYTES = 1_280
const FINGERPRINT_XOR = 0x5354554e

const TYPES = { request: 0x0001, indication: 0x0011, success: 0x0101, error: 0x0111 } as const
export type BindingKind = keyof typeof TYPES

const ATTRIBUTE = {
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  unknownAttributes: 0x000a,
  messageIntegritySha256: 0x001c,
  xorMappedAddress: 0x0020,
  software: 0x8022,
  fingerprint: 0x8028,
} as const

/**
 * Those of RFC 8489 whose meaning must be known. Names and passwords among them are passed over: nobody needs to say who they are to learn their address.
 * MAPPED-ADDRESS, USERNAME, MESSAGE-INTEGRITY, ERROR-CODE, UNKNOWN-ATTRIBUTES, REALM, NONCE, MESSAGE-INTEGRITY-SHA256, PASSWORD-ALGORITHM, USERHASH,
 * XOR-MAPPED-ADDRESS.
 */
const UNDERSTOOD: ReadonlySet<number> = new Set([0x0001, 0x0006, 0x0008, 0x0009, 0x000a, 0x0014, 0x0015, 0x001c, 0x001d, 0x001e, 0x0020])

export interface Endpoint {
  /** IPv4 or IPv6, without a zone. */
  readonly address: string
  readonly port: number
}

export interface BindingMessage {
  readonly kind: BindingKind
  readonly transactionId: Uint8Array
  /** Types that must be understood (below 0x8000) and are not; each once. */
  readonly unknown: readonly number[]
  /** The answer may have one as well: it then is no longer than what was asked. */
  readonly hasFingerprint: boolean
  /** What an answer says. */
  readonly mapped: Endpoint | undefined
  readonly errorCode: number | undefined
  readonly software: string | undefined
}

/** A STUN message by its first bytes, as RFC 9443 tells protocols apart on one port; whether it is a sound one, `parseBinding` says. */
export function isStun(packet: Uint8Array): boolean {
  return packet.length >= HEADER_BYTES && (packet[0] ?? 0xff) < 4 && view(packet).getUint32(4) === MAGIC_COOKIE
}

/** Undefined for whatever is not a sound Binding message. */
export function parseBinding(packet: Uint8Array): BindingMessage | undefined {
  if (!isStun(packet) || packet.length > MAX_MESSAGE_BYTES) return undefined
  const fields = view(packet)
  const kind = kindOf(fields.getUint16(0))
  if (kind === undefined || fields.getUint16(2) !== packet.length - HEADER_BYTES || packet.length % 4 !== 0) return undefined
  const message = {
    kind,
    // A copy: a slice of a Buffer is none.
    transactionId: Uint8Array.from(packet.subarray(8, HEADER_BYTES)),
    hasFingerprint: false,
    mapped: undefined as Endpoint | undefined,
    errorCode: undefined as number | undefined,
    software: undefined as string | undefined,
  }
  const unknown = new Set<number>()
  let isProtected = false
  for (let offset = HEADER_BYTES; offset < packet.length;) {
    // The fingerprint is the last word.
    if (message.hasFingerprint || offset + 4 > packet.length) return undefined
    const [type, length] = [fields.getUint16(offset), fields.getUint16(offset + 2)]
    if (offset + 4 + length > packet.length) return undefined
    const value = packet.subarray(offset + 4, offset + 4 + length)
    if (type === ATTRIBUTE.fingerprint) {
      if (length !== 4 || view(value).getUint32(0) !== fingerprint(packet.subarray(0, offset))) return undefined
      message.hasFingerprint = true
    } else if (isProtected) {
      // What follows the integrity could have been put there by anybody: passed over (RFC 8489, 14.5).
    } else if (type === ATTRIBUTE.messageIntegrity || type === ATTRIBUTE.messageIntegritySha256) isProtected = true
    else if (type === ATTRIBUTE.xorMappedAddress && kind === 'success') message.mapped ??= parseXorAddress(value, packet)
    else if (type === ATTRIBUTE.errorCode && length >= 4) message.errorCode ??= ((value[2] ?? 0) & 7) * 100 + (value[3] ?? 0)
    else if (type === ATTRIBUTE.software) message.software ??= new TextDecoder().decode(value)
    else if (type < 0x8000 && !UNDERSTOOD.has(type)) unknown.add(type)
    offset += 4 + padded(length)
  }
  return { ...message, unknown: [...unknown] }
}

/** @param software may be as long as wanted: a request as long as its answer is answered at once. */
export function encodeBindingRequest(transactionId: Uint8Array, software?: string): Uint8Array {
  const name = software === undefined ? [] : [attribute(ATTRIBUTE.software, new TextEncoder().encode(software))]
  return encode(TYPES.request, transactionId, name, true)
}

/** Where the request came from: 32 bytes for IPv4, 44 for IPv6, 8 more with a fingerprint, which it has if the request had one. */
export function encodeMappedAddress({ transactionId, hasFingerprint }: Asked, source: Endpoint): Uint8Array {
  const bytes = addressBytes(source.address)
  const mask = Buffer.concat([cookieBytes, transactionId])
  const value = Buffer.alloc(4 + bytes.length)
  value[1] = bytes.length === 4 ? 1 : 2
  value.writeUInt16BE(source.port ^ (MAGIC_COOKIE >>> 16), 2)
  for (const [index, byte] of bytes.entries()) value[4 + index] = byte ^ (mask[index] ?? 0)
  return encode(TYPES.success, transactionId, [attribute(ATTRIBUTE.xorMappedAddress, value)], hasFingerprint)
}

/** Error 420, naming what was not understood; without a phrase, because it would be longer than what was asked. */
export function encodeUnknownAttributes({ transactionId, hasFingerprint }: Asked, types: readonly number[]): Uint8Array {
  const named = Buffer.alloc(types.length * 2)
  for (const [index, type] of types.entries()) named.writeUInt16BE(type, index * 2)
  const attributes = [attribute(ATTRIBUTE.errorCode, Uint8Array.of(0, 0, 4, 20)), attribute(ATTRIBUTE.unknownAttributes, named)]
  return encode(TYPES.error, transactionId, attributes, hasFingerprint)
}

/** Those of a sound message without its fingerprint being looked at, for messages other than Binding; undefined for what is none. */
export function attributesOf(packet: Uint8Array): { readonly type: number; readonly value: Uint8Array }[] | undefined {
  if (!isStun(packet) || view(packet).getUint16(2) !== packet.length - HEADER_BYTES) return undefined
  const attributes: { type: number; value: Uint8Array }[] = []
  for (let offset = HEADER_BYTES; offset < packet.length;) {
    if (offset + 4 > packet.length) return undefined
    const [type, length] = [view(packet).getUint16(offset), view(packet).getUint16(offset + 2)]
    if (offset + 4 + length > packet.length) return undefined
    attributes.push({ type, value: packet.subarray(offset + 4, offset + 4 + length) })
    offset += 4 + padded(length)
  }
  return attributes
}

/** Of any type and method. */
export function encodeMessage(type: number, transactionId: Uint8Array, attributes: readonly Uint8Array[]): Uint8Array {
  return encode(type, transactionId, attributes, false)
}

type Asked = Pick<BindingMessage, 'transactionId' | 'hasFingerprint'>

const cookieBytes = Buffer.of(0x21, 0x12, 0xa4, 0x42)

function encode(type: number, transactionId: Uint8Array, attributes: readonly Uint8Array[], withFingerprint: boolean): Uint8Array {
  if (transactionId.length !== 12) throw new RangeError('a transaction id has 12 bytes')
  const message = Buffer.concat([Buffer.alloc(4), cookieBytes, transactionId, ...attributes, Buffer.alloc(withFingerprint ? 8 : 0)])
  message.writeUInt16BE(type, 0)
  message.writeUInt16BE(message.length - HEADER_BYTES, 2)
  if (!withFingerprint) return message
  const end = message.length - 8
  message.writeUInt16BE(ATTRIBUTE.fingerprint, end)
  message.writeUInt16BE(4, end + 2)
  message.writeUInt32BE(fingerprint(message.subarray(0, end)), end + 4)
  return message
}

/** With the zeros that bring it to a multiple of four. */
export function attribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(4 + padded(value.length))
  bytes.writeUInt16BE(type, 0)
  bytes.writeUInt16BE(value.length, 2)
  bytes.set(value, 4)
  return bytes
}

/** Over the message with its length as it will be, which includes the fingerprint itself. */
function fingerprint(before: Uint8Array): number {
  return (crc32(before) ^ FINGERPRINT_XOR) >>> 0
}

function parseXorAddress(value: Uint8Array, packet: Uint8Array): Endpoint | undefined {
  const size = { 1: 4, 2: 16 }[value[1] ?? 0]
  if (size === undefined || value.length !== 4 + size) return undefined
  const bytes = value.subarray(4).map((byte, index) => byte ^ (packet[4 + index] ?? 0))
  const port = view(value).getUint16(2) ^ (MAGIC_COOKIE >>> 16)
  if (size === 4) return { address: bytes.join('.'), port }
  const groups = Array.from({ length: 8 }, (_, index) =>
    view(bytes)
      .getUint16(index * 2)
      .toString(16),
  )
  return { address: new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1), port }
}

/** 4 or 16 bytes. IPv4 that arrived on an IPv6 socket is IPv4. */
function addressBytes(address: string): Uint8Array {
  const plain =
    address
      .toLowerCase()
      .split('%')[0]
      ?.replace(/^::ffff:(?=\d+\.)/, '') ?? ''
  if (isIPv4(plain)) return Uint8Array.from(plain.split('.'), Number)
  const [head = '', tail] = plain.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups = [...before, ...Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0'), ...after]
  return Uint8Array.from(groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]))
}

function kindOf(type: number): BindingKind | undefined {
  return (Object.keys(TYPES) as BindingKind[]).find((kind) => TYPES[kind] === type)
}

function padded(length: number): number {
  return Math.ceil(length / 4) * 4
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
