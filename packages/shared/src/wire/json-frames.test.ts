/** Message, presence and announce frames: what fits goes through unchanged, everything else is refused with a code. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isFootbridgeError } from '../errors.ts'
import { MAX_FRAME_BYTES, MAX_TEXT_LENGTH } from '../limits.ts'
import { utf8Encode } from '../text-codec.ts'
import { decodeAnnounceFrame, VISIBILITIES, type AnnounceFrame } from './announce-frame.ts'
import { encodeJsonFrame } from './json-frame.ts'
import { decodeMessageFrame, type MessageFrame } from './message-frame.ts'
import { decodePresenceFrame, type PresenceFrame } from './presence-frame.ts'

const id = fc.string({ minLength: 1, maxLength: 64 })
const at = fc.nat({ max: 4_000_000_000_000 })
const message: fc.Arbitrary<MessageFrame> = fc.oneof(
  fc.record({ type: fc.constant('profile' as const), name: fc.string({ maxLength: 48 }) }),
  fc.record({ type: fc.constant('text' as const), id, at, text: fc.string({ minLength: 1, maxLength: 400, unit: 'grapheme' }) }),
  fc.record({
    type: fc.constant('file' as const),
    id,
    at,
    cid: fc.string({ minLength: 1, maxLength: 128 }),
    name: fc.string({ minLength: 1, maxLength: 255 }),
    size: fc.maxSafeNat(),
    media: fc.string({ maxLength: 127 }),
  }),
  fc.record({ type: fc.constant('ack' as const), id }),
  fc.record({
    type: fc.constant('refused' as const),
    id,
    reason: fc.constantFrom('full' as const, 'malformed' as const, 'blocked' as const),
  }),
)
const row = fc.record({
  peer: fc.string({ minLength: 1, maxLength: 128 }),
  name: fc.string({ maxLength: 48 }),
  device: fc.constantFrom('browser' as const, 'phone' as const),
  since: fc.nat(),
})
const presence: fc.Arbitrary<PresenceFrame> = fc.oneof(
  fc.record({
    type: fc.constant('hello' as const),
    name: fc.string({ maxLength: 48 }),
    device: fc.constantFrom('browser' as const, 'phone' as const),
  }),
  fc.record({ type: fc.constant('peers' as const), rows: fc.array(row, { maxLength: 100 }) }, { requiredKeys: ['type', 'rows'] }),
  fc.record({ type: fc.constant('gone' as const), peers: fc.array(fc.string({ minLength: 1, maxLength: 128 }), { maxLength: 100 }) }),
)

const base64url = fc.stringMatching(/^[A-Za-z0-9_-]{1,200}$/)
const places = fc.record({
  place: fc.constantFrom('presence' as const, 'mdns' as const, 'other' as const),
  state: fc.constantFrom('announced' as const, 'full' as const, 'other' as const),
  names: fc.array(fc.string({ maxLength: 255 }), { maxLength: 32 }),
})
const announce: fc.Arbitrary<AnnounceFrame> = fc.oneof(
  fc.record({ type: fc.constant('visible' as const), visibility: fc.constantFrom(...VISIBILITIES) }),
  fc.record({ type: fc.constant('places' as const), places: fc.array(places, { maxLength: 16 }) }),
  fc.record({
    type: fc.constant('wanted' as const),
    addresses: fc.array(fc.string({ minLength: 1, maxLength: 512 }), { maxLength: 16 }),
    after: fc.maxSafeNat(),
  }),
  fc.record({ type: fc.constant('record' as const), envelope: base64url, legacy: base64url }),
  fc.record({ type: fc.constant('refused' as const), reason: fc.constantFrom('address' as const, 'number' as const, 'other' as const) }),
)

const protocols = [
  { name: 'message', frame: message as fc.Arbitrary<unknown>, decode: decodeMessageFrame },
  { name: 'presence', frame: presence as fc.Arbitrary<unknown>, decode: decodePresenceFrame },
  { name: 'announce', frame: announce as fc.Arbitrary<unknown>, decode: decodeAnnounceFrame },
]

describe.each(protocols)('the $name protocol', ({ frame, decode }) => {
  test('gives back what went in', () => {
    fc.assert(
      fc.property(frame, (value) => {
        expect(decode(encodeJsonFrame(value))).toEqual(value)
      }),
    )
  })

  test('ignores fields that it does not know', () => {
    fc.assert(
      fc.property(frame, (value) => {
        expect(decode(encodeJsonFrame(Object.assign({ later: { version: 2 } }, value)))).toEqual(value)
      }),
    )
  })

  test('skips a frame of a type that it does not know', () => {
    expect(decode(encodeJsonFrame({ type: 'later', anything: 1 }))).toBeUndefined()
  })

  test('answers random bytes with a typed error and nothing else', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => refusesTyped(() => decode(bytes))))
  })

  test('answers random JSON with a typed error and nothing else', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => refusesTyped(() => decode(encodeJsonFrame(value)))))
  })

  test('answers a frame with one field spoilt with a typed error or reads it', () => {
    fc.assert(
      fc.property(frame, fc.jsonValue(), fc.nat(), (value, other, index) => {
        const entries = Object.entries(value as object)
        const [key] = entries[index % entries.length] ?? ['type']
        refusesTyped(() => decode(encodeJsonFrame({ ...(value as object), [key]: other })))
      }),
    )
  })
})

test('a frame over the limit is refused on both sides', () => {
  expect(() => encodeJsonFrame({ text: 'x'.repeat(MAX_FRAME_BYTES) })).toThrow(expect.objectContaining({ code: 'too_large' }))
  expect(() => decodeMessageFrame(new Uint8Array(MAX_FRAME_BYTES + 1))).toThrow(expect.objectContaining({ code: 'too_large' }))
})

test('what a frame of a later version says is read as something else, not refused', () => {
  const frame = { type: 'places', places: [{ place: 'town-crier', state: 'hoarse', names: [] }] }
  expect(decodeAnnounceFrame(encodeJsonFrame(frame))).toEqual({ type: 'places', places: [{ place: 'other', state: 'other', names: [] }] })
})

test.each([
  [{ type: 'visible', visibility: 'everybody' }, 'a choice that this version cannot keep'],
  [{ type: 'wanted', addresses: ['/a'], after: -1 }, 'a number below zero'],
  [{ type: 'wanted', addresses: Array.from({ length: 17 }, () => '/a'), after: 0 }, 'more addresses than a record may have'],
  [{ type: 'record', envelope: 'a'.repeat(6_145), legacy: 'a' }, 'an envelope over its limit'],
  [{ type: 'record', envelope: 'a+/=', legacy: 'a' }, 'another base64'],
])('%j is refused: %s', (frame, _reason) => {
  expect(() => decodeAnnounceFrame(encodeJsonFrame(frame))).toThrow(expect.objectContaining({ code: 'protocol_violation' }))
})

test('the longest text fits one frame in the widest script', () => {
  const frame = { type: 'text', id: 'i'.repeat(64), at: 1, text: '😀'.repeat(MAX_TEXT_LENGTH / 2) }
  expect(decodeMessageFrame(encodeJsonFrame(frame))).toEqual(frame)
})

test.each([
  [{ type: 'text', id: '', at: 1, text: 'a' }, 'an empty id'],
  [{ type: 'text', id: 'a', at: -1, text: 'a' }, 'a time before the epoch'],
  [{ type: 'text', id: 'a', at: 1, text: '' }, 'an empty text'],
  [{ type: 'file', id: 'a', at: 1, cid: 'b', name: 'n', size: 1.5, media: '' }, 'half a byte'],
  [{ type: 'profile', name: 'a', picture: 'data:image/svg+xml;base64,AAAA' }, 'a picture that can carry script'],
  [{ type: 'profile', name: 'a', picture: 'https://elsewhere.example/a.png' }, 'a picture that tells elsewhere who looks'],
])('%j is refused: %s', (frame, _reason) => {
  expect(() => decodeMessageFrame(utf8Encode(JSON.stringify(frame)))).toThrow(expect.objectContaining({ code: 'protocol_violation' }))
})

function refusesTyped(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    if (!isFootbridgeError(error)) throw error
  }
}
