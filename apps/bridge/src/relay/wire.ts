/**
 * The messages of circuit-relay-v2, as https://github.com/libp2p/specs/blob/master/relay/circuit-v2.md has them: HOP between a client and the relay,
 * STOP between the relay and the destination. Each stands on its stream behind a varint length and is at most MAX_RELAY_MESSAGE_BYTES.
 *
 *     source                relay               destination
 *       │ HOP CONNECT peer ──►│ STOP CONNECT peer ──►│
 *       │                     │◄──── STOP STATUS OK  │
 *       │◄──── HOP STATUS OK  │                      │
 *       │◄───────────── raw bytes both ways ────────►│
 *
 * Units on the wire are seconds and bytes (js-libp2p's own relay writes milliseconds). Unknown fields are ignored, the last of a repeated singular
 * field counts, as protobuf wants it. Not here: what the relay decides (hop.ts).
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import { type ProtoField, ProtoWriter, readFields } from './proto.ts'

export const HOP_PROTOCOL = '/libp2p/circuit/relay/0.2.0/hop'
export const STOP_PROTOCOL = '/libp2p/circuit/relay/0.2.0/stop'

/** The specification's cap. */
export const MAX_RELAY_MESSAGE_BYTES = 4096

export const STATUS = {
  OK: 100,
  RESERVATION_REFUSED: 200,
  RESOURCE_LIMIT_EXCEEDED: 201,
  PERMISSION_DENIED: 202,
  CONNECTION_FAILED: 203,
  NO_RESERVATION: 204,
  MALFORMED_MESSAGE: 400,
  UNEXPECTED_MESSAGE: 401,
} as const
export type Status = (typeof STATUS)[keyof typeof STATUS]

export const HOP_TYPES = ['RESERVE', 'CONNECT', 'STATUS'] as const
export const STOP_TYPES = ['CONNECT', 'STATUS'] as const

export interface RelayPeer {
  /** PeerID as multihash bytes. */
  readonly id: Uint8Array
  /** Multiaddrs as bytes. */
  readonly addrs: readonly Uint8Array[]
}

export interface WireReservation {
  /** Unix time in seconds. */
  readonly expire: bigint
  readonly addrs: readonly Uint8Array[]
  /** A signed envelope; see voucher.ts. */
  readonly voucher?: Uint8Array | undefined
}

export interface WireLimit {
  readonly durationSeconds?: number | undefined
  readonly dataBytes?: bigint | undefined
}

export interface HopMessage {
  /** Undefined when the sender left it out or it is a type that we do not know. */
  readonly type?: (typeof HOP_TYPES)[number] | undefined
  readonly peer?: RelayPeer | undefined
  readonly reservation?: WireReservation | undefined
  readonly limit?: WireLimit | undefined
  /** A number, not a Status: others may add some. */
  readonly status?: number | undefined
}

export interface StopMessage {
  readonly type?: (typeof STOP_TYPES)[number] | undefined
  readonly peer?: RelayPeer | undefined
  readonly limit?: WireLimit | undefined
  readonly status?: number | undefined
}

export function encodeHopMessage(message: HopMessage): Uint8Array<ArrayBuffer> {
  return new ProtoWriter()
    .varint(1, typeIndex(HOP_TYPES, message.type))
    .bytes(2, message.peer && encodePeer(message.peer))
    .bytes(3, message.reservation && encodeReservation(message.reservation))
    .bytes(4, message.limit && encodeLimit(message.limit))
    .varint(5, message.status)
    .finish()
}

export function encodeStopMessage(message: StopMessage): Uint8Array<ArrayBuffer> {
  return new ProtoWriter()
    .varint(1, typeIndex(STOP_TYPES, message.type))
    .bytes(2, message.peer && encodePeer(message.peer))
    .bytes(3, message.limit && encodeLimit(message.limit))
    .varint(4, message.status)
    .finish()
}

/** @throws FootbridgeError `protocol_violation` */
export function decodeHopMessage(bytes: Uint8Array): HopMessage {
  const fields = readFields(bytes)
  return {
    type: decodeType(HOP_TYPES, fields, 1),
    peer: decodePart(fields, 2, decodePeer),
    reservation: decodePart(fields, 3, decodeReservation),
    limit: decodePart(fields, 4, decodeLimit),
    status: decodeNumber(fields, 5),
  }
}

/** @throws FootbridgeError `protocol_violation` */
export function decodeStopMessage(bytes: Uint8Array): StopMessage {
  const fields = readFields(bytes)
  return {
    type: decodeType(STOP_TYPES, fields, 1),
    peer: decodePart(fields, 2, decodePeer),
    limit: decodePart(fields, 3, decodeLimit),
    status: decodeNumber(fields, 4),
  }
}

function encodePeer({ id, addrs }: RelayPeer): Uint8Array {
  const writer = new ProtoWriter().bytes(1, id)
  for (const address of addrs) writer.bytes(2, address)
  return writer.finish()
}

function encodeReservation({ expire, addrs, voucher }: WireReservation): Uint8Array {
  const writer = new ProtoWriter().varint(1, expire)
  for (const address of addrs) writer.bytes(2, address)
  return writer.bytes(3, voucher).finish()
}

function encodeLimit({ durationSeconds, dataBytes }: WireLimit): Uint8Array {
  return new ProtoWriter().varint(1, durationSeconds).varint(2, dataBytes).finish()
}

function decodePeer(bytes: Uint8Array): RelayPeer {
  const fields = readFields(bytes)
  return { id: decodeBytes(fields, 1) ?? new Uint8Array(), addrs: decodeAll(fields, 2) }
}

function decodeReservation(bytes: Uint8Array): WireReservation {
  const fields = readFields(bytes)
  return { expire: decodeVarint(fields, 1) ?? 0n, addrs: decodeAll(fields, 2), voucher: decodeBytes(fields, 3) }
}

function decodeLimit(bytes: Uint8Array): WireLimit {
  const fields = readFields(bytes)
  return { durationSeconds: decodeNumber(fields, 1), dataBytes: decodeVarint(fields, 2) }
}

const last = (fields: readonly ProtoField[], number: number): ProtoField['value'] | undefined =>
  fields.findLast((field) => field.number === number)?.value

function decodeVarint(fields: readonly ProtoField[], number: number): bigint | undefined {
  const value = last(fields, number)
  if (value instanceof Uint8Array) throw new FootbridgeError('protocol_violation', `field ${number} has the wrong wire type`)
  return value
}

/** Protobuf cuts a 32-bit field that came with more bits. */
function decodeNumber(fields: readonly ProtoField[], number: number): number | undefined {
  const value = decodeVarint(fields, number)
  return value === undefined ? undefined : Number(BigInt.asUintN(32, value))
}

function decodeBytes(fields: readonly ProtoField[], number: number): Uint8Array | undefined {
  const value = last(fields, number)
  if (typeof value === 'bigint') throw new FootbridgeError('protocol_violation', `field ${number} has the wrong wire type`)
  return value
}

function decodeAll(fields: readonly ProtoField[], number: number): Uint8Array[] {
  return fields
    .filter((field) => field.number === number)
    .map(({ value }) => {
      if (typeof value === 'bigint') throw new FootbridgeError('protocol_violation', `field ${number} has the wrong wire type`)
      return value
    })
}

function decodePart<Part>(fields: readonly ProtoField[], number: number, decode: (bytes: Uint8Array) => Part): Part | undefined {
  const bytes = decodeBytes(fields, number)
  return bytes === undefined ? undefined : decode(bytes)
}

function typeIndex<Type extends string>(types: readonly Type[], type: Type | undefined): number | undefined {
  return type === undefined ? undefined : types.indexOf(type)
}

function decodeType<Type extends string>(types: readonly Type[], fields: readonly ProtoField[], number: number): Type | undefined {
  const index = decodeNumber(fields, number)
  return index === undefined ? undefined : types[index]
}
