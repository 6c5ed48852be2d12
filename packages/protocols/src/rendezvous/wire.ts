/**
 * Messages of libp2p's rendezvous, `/rendezvous/1.0.0`: each is one protobuf with its length before it, as unsigned varint.
 *
 *     client                                        point
 *       │ REGISTER {namespace, record, ttl}  ─────────►│   keeps the record for the namespace
 *       │◄─────── REGISTER_RESPONSE {status, text, ttl}│   for how long
 *       │ UNREGISTER {namespace}  ────────────────────►│   no answer
 *       │ DISCOVER {namespace, limit, cookie}  ───────►│
 *       │◄─ DISCOVER_RESPONSE {registrations, cookie, …}│   what the cookie's owner has not had yet
 *
 *     Message           1 type enum   2 register   3 registerResponse   4 unregister   5 discover   6 discoverResponse
 *     Register          1 ns string   2 signedPeerRecord bytes   3 ttl uint64, seconds
 *     RegisterResponse  1 status enum   2 statusText string   3 ttl uint64, seconds
 *     Unregister        1 ns string
 *     Discover          1 ns string   2 limit uint64   3 cookie bytes
 *     DiscoverResponse  1 registrations Register, repeated   2 cookie bytes   3 status enum   4 statusText string
 *
 * proto2: a field may be missing and then is undefined here, except a status (OK) and a type (told by the body). Fields that are not known are skipped, of one
 * that stands twice the last counts. Numbers above 2^53 - 1 are read as that. The rules of both ends: SPEC.md; messages in hex: vectors.json.
 * Version history: 1.0.0 is libp2p's, revision 3 of 2021. Ours began on 2026-11-28.
 * Not here: what a record is (records.ts) and a cookie (cookies.ts).
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import { utf8Encode } from '@footbridge/shared/text-codec'
import { bytesField, bytesOf, concat, numberOf, readFields, textOf, varintField, type FieldValue } from '../uc-wire/fields.ts'

export const RENDEZVOUS_PROTOCOL = '/rendezvous/1.0.0'

/** Of a request: a record of forty addresses has 4 KB. */
export const MAX_REQUEST_BYTES = 64 * 1024
/** Of an answer: what other implementations read at most. */
export const MAX_ANSWER_BYTES = 1024 * 1024
export const MAX_NAMESPACE_BYTES = 255
/** Of a status text, which is for people. */
const MAX_TEXT_LENGTH = 256
/** Registrations of one answer that are read: an answer at its limit, of the smallest records that there are. */
const MAX_ANSWER_FIELDS = 10_000

export const STATUS = {
  ok: 0,
  invalidNamespace: 100,
  invalidRecord: 101,
  invalidTtl: 102,
  invalidCookie: 103,
  notAuthorized: 200,
  internal: 300,
  unavailable: 400,
} as const

export interface Registration {
  readonly namespace: string | undefined
  /** A signed peer record, unopened. */
  readonly record: Uint8Array | undefined
  readonly ttlSeconds: number | undefined
}

export interface RegisterRequest extends Registration {
  readonly type: 'register'
}
export interface RegisterAnswer {
  readonly type: 'register-answer'
  readonly status: number
  readonly statusText: string | undefined
  readonly ttlSeconds: number | undefined
}
export interface UnregisterRequest {
  readonly type: 'unregister'
  readonly namespace: string | undefined
}
export interface DiscoverRequest {
  readonly type: 'discover'
  /** Undefined or empty: all of them. */
  readonly namespace: string | undefined
  readonly limit: number | undefined
  readonly cookie: Uint8Array | undefined
}
export interface DiscoverAnswer {
  readonly type: 'discover-answer'
  readonly registrations: readonly Registration[]
  readonly cookie: Uint8Array | undefined
  readonly status: number
  readonly statusText: string | undefined
}
export type RendezvousRequest = RegisterRequest | UnregisterRequest | DiscoverRequest
export type RendezvousMessage = RendezvousRequest | RegisterAnswer | DiscoverAnswer

/** The number of each type, which also says the field of its body. */
const NUMBERS = { register: 0, 'register-answer': 1, unregister: 2, discover: 3, 'discover-answer': 4 } as const
const TYPES = ['register', 'register-answer', 'unregister', 'discover', 'discover-answer'] as const
const FIRST_BODY = 2

export function encodeMessage(message: RendezvousMessage): Uint8Array {
  const number = NUMBERS[message.type]
  return concat([varintField(1, BigInt(number)), bytesField(FIRST_BODY + number, encodeBody(message))])
}

/** @throws FootbridgeError `protocol_violation` */
export function decodeMessage(bytes: Uint8Array): RendezvousMessage {
  const fields = new Map(readFields(bytes))
  return decodeBody(typeIn(fields), fields)
}

/** The type of a message whose body cannot be read, so that it can be answered. */
export function typeOf(bytes: Uint8Array): RendezvousMessage['type'] | undefined {
  try {
    return typeIn(new Map(readFields(bytes)))
  } catch {
    return undefined
  }
}

/** What a registration takes in an answer, so that an answer can be filled to its limit. */
export function registrationBytes(namespace: string, record: Uint8Array): number {
  // Tags and lengths of the registration, its three fields, and a time to live.
  return utf8Encode(namespace).length + record.length + 24
}

function typeIn(fields: ReadonlyMap<number, FieldValue>): RendezvousMessage['type'] {
  const value = fields.get(1)
  // Writers of proto3 leave out a type of 0.
  const type = value === undefined ? 'register' : TYPES[Number(numberOf(value))]
  if (type === undefined || !fields.has(FIRST_BODY + NUMBERS[type]))
    throw new FootbridgeError('protocol_violation', 'a rendezvous message of a type that is not known, or without its body')
  return type
}

function decodeBody(type: RendezvousMessage['type'], message: ReadonlyMap<number, FieldValue>): RendezvousMessage {
  const body = bytesOf(message.get(FIRST_BODY + NUMBERS[type]) ?? new Uint8Array(0))
  if (type === 'discover-answer') return decodeDiscoverAnswer(body)
  const fields = new Map(readFields(body))
  switch (type) {
    case 'register':
      return { type, ...registrationIn(fields) }
    case 'register-answer':
      return { type, status: numberIn(fields, 1) ?? STATUS.ok, statusText: textIn(fields, 2), ttlSeconds: numberIn(fields, 3) }
    case 'unregister':
      return { type, namespace: textIn(fields, 1) }
    case 'discover':
      return { type, namespace: textIn(fields, 1), limit: numberIn(fields, 2), cookie: bytesIn(fields, 3) }
  }
}

function decodeDiscoverAnswer(body: Uint8Array): DiscoverAnswer {
  const fields = readFields(body, MAX_ANSWER_FIELDS)
  const last = new Map(fields)
  const registrations = fields.filter(([number]) => number === 1).map(([, value]) => registrationIn(new Map(readFields(bytesOf(value)))))
  return {
    type: 'discover-answer',
    registrations,
    cookie: bytesIn(last, 2),
    status: numberIn(last, 3) ?? STATUS.ok,
    statusText: textIn(last, 4),
  }
}

function encodeBody(message: RendezvousMessage): Uint8Array {
  switch (message.type) {
    case 'register':
      return encodeRegistration(message)
    case 'register-answer':
      return concat([number(1, message.status), ...text(2, message.statusText), ...optionalNumber(3, message.ttlSeconds)])
    case 'unregister':
      return concat([...text(1, message.namespace)])
    case 'discover':
      return concat([...text(1, message.namespace), ...optionalNumber(2, message.limit), ...optionalBytes(3, message.cookie)])
    case 'discover-answer':
      return concat([
        ...message.registrations.map((registration) => bytesField(1, encodeRegistration(registration))),
        ...optionalBytes(2, message.cookie),
        number(3, message.status),
        ...text(4, message.statusText),
      ])
  }
}

function encodeRegistration({ namespace, record, ttlSeconds }: Registration): Uint8Array {
  return concat([...text(1, namespace), ...optionalBytes(2, record), ...optionalNumber(3, ttlSeconds)])
}

function registrationIn(fields: ReadonlyMap<number, FieldValue>): Registration {
  return { namespace: textIn(fields, 1), record: bytesIn(fields, 2), ttlSeconds: numberIn(fields, 3) }
}

function number(field: number, value: number): Uint8Array {
  return varintField(field, BigInt(value))
}

function optionalNumber(field: number, value: number | undefined): Uint8Array[] {
  return value === undefined ? [] : [number(field, value)]
}

function optionalBytes(field: number, value: Uint8Array | undefined): Uint8Array[] {
  return value === undefined ? [] : [bytesField(field, value)]
}

function text(field: number, value: string | undefined): Uint8Array[] {
  return value === undefined ? [] : [bytesField(field, utf8Encode(value))]
}

function numberIn(fields: ReadonlyMap<number, FieldValue>, field: number): number | undefined {
  const value = fields.get(field)
  if (value === undefined) return undefined
  const read = numberOf(value)
  return read > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(read)
}

function bytesIn(fields: ReadonlyMap<number, FieldValue>, field: number): Uint8Array | undefined {
  const value = fields.get(field)
  return value === undefined ? undefined : bytesOf(value)
}

function textIn(fields: ReadonlyMap<number, FieldValue>, field: number): string | undefined {
  const value = fields.get(field)
  return value === undefined ? undefined : textOf(value)
}

/** A text for people, short enough for any answer. */
export function statusText(text: string): string {
  return text.slice(0, MAX_TEXT_LENGTH)
}
