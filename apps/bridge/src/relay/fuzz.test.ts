/**
 * Messages that nobody should send, given to the decoders of HOP, STOP and control: each is read or refused in one typed way, and what is read can be
 * written and read again. 20 000 here; `npm test` runs 200 000 (FUZZ_INPUTS). Over live streams: fuzz-live.test.ts.
 */
import { isDeepStrictEqual } from 'node:util'
import { isFootbridgeError } from '@footbridge/shared/errors'
import { MAX_FRAME_BYTES } from '@footbridge/shared/limits'
import { utf8Encode } from '@footbridge/shared/text-codec'
import { decodeControlFrame, type ControlFrame } from '@footbridge/shared/wire/control-frame'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'
import { describe, expect, it } from 'vitest'
import { chooseSeed, createRandom, mutate, type Random } from '@footbridge/protocols/fuzz/test-mutations'
import {
  HOP_TYPES,
  STOP_TYPES,
  decodeHopMessage,
  decodeStopMessage,
  encodeHopMessage,
  encodeStopMessage,
  type HopMessage,
  type StopMessage,
} from './wire.ts'

const PER_DECODER = Math.ceil(Number(process.env['FUZZ_INPUTS'] ?? 20_000) / 3)
const seed = chooseSeed()

const maybe = <Value>(random: Random, make: () => Value): Value | undefined => (random.below(2) === 0 ? undefined : make())
const big = (random: Random): bigint => Buffer.from(random.bytes(8)).readBigUInt64LE() >> BigInt(random.below(64))
const peer = (random: Random): { id: Uint8Array; addrs: Uint8Array[] } => ({
  id: random.bytes(random.below(48)),
  addrs: Array.from({ length: random.below(4) }, () => random.bytes(random.below(24))),
})

function validHop(random: Random): HopMessage {
  return {
    type: maybe(random, () => random.pick(HOP_TYPES)),
    peer: maybe(random, () => peer(random)),
    reservation: maybe(random, () => ({
      expire: big(random),
      addrs: peer(random).addrs,
      voucher: maybe(random, () => random.bytes(random.below(200))),
    })),
    limit: maybe(random, () => ({
      durationSeconds: maybe(random, () => random.below(2 ** 31)),
      dataBytes: maybe(random, () => big(random)),
    })),
    status: maybe(random, () => random.below(500)),
  }
}

function validStop(random: Random): StopMessage {
  const { peer: other, limit, status } = validHop(random)
  return { type: maybe(random, () => random.pick(STOP_TYPES)), peer: other, limit, status }
}

/** Every byte array in a message must be a view of the input: then nothing was allocated by what a length claims. */
function viewsOnly(value: unknown, buffer: ArrayBufferLike): boolean {
  if (value instanceof Uint8Array) return value.length === 0 || value.buffer === buffer
  return typeof value !== 'object' || value === null || Object.values(value).every((each) => viewsOnly(each, buffer))
}

function fail(what: string, index: number, input: Uint8Array): never {
  throw new Error(`${what} at input ${index} of FUZZ_SEED=${seed}: ${Buffer.from(input.subarray(0, 200)).toString('hex')}`)
}

/** @returns how many were read. */
function fuzz<Message>(
  codec: { make: (random: Random) => Message; encode: (message: Message) => Uint8Array; decode: (bytes: Uint8Array) => Message },
  count: number,
): number {
  const random = createRandom(seed)
  let read = 0
  for (let index = 0; index < count; index++) {
    const valid = codec.make(random)
    const whole = codec.encode(valid)
    if (index % 10 === 0 && !isDeepStrictEqual(codec.decode(whole), valid)) fail('a message was not read as it was written', index, whole)
    const input = random.below(4) === 0 ? random.bytes(random.below(random.below(50) === 0 ? 6_000 : 80)) : mutate(whole, random)
    let message: Message
    try {
      message = codec.decode(input)
    } catch (error) {
      if (!isFootbridgeError(error, 'protocol_violation')) fail(`an untyped failure (${String(error)})`, index, input)
      continue
    }
    read++
    if (!viewsOnly(message, input.buffer)) fail('bytes that are not of the input', index, input)
    if (!isDeepStrictEqual(codec.decode(codec.encode(message)), message)) fail('no round trip', index, input)
  }
  return read
}

describe('the decoders', () => {
  it.each([
    ['HOP', () => fuzz({ make: validHop, encode: encodeHopMessage, decode: decodeHopMessage }, PER_DECODER)],
    ['STOP', () => fuzz({ make: validStop, encode: encodeStopMessage, decode: decodeStopMessage }, PER_DECODER)],
  ])('read %s messages or refuse them as a protocol violation', { timeout: 60_000 }, (_, run) => {
    const read = run()
    // Neither all nor nothing: the inputs reach both sides of every check.
    expect(read).toBeGreaterThan(PER_DECODER / 20)
    expect(read).toBeLessThan(PER_DECODER * 0.9)
  })

  it('read control frames, skip unknown ones, or refuse them as a violation or too large', { timeout: 60_000 }, () => {
    const random = createRandom(seed)
    const outcomes = { read: 0, skipped: 0, refused: 0 }
    for (let index = 0; index < PER_DECODER; index++) {
      const input = spoiledControl(random)
      let frame: ControlFrame | undefined
      try {
        frame = decodeControlFrame(input)
      } catch (error) {
        if (!isFootbridgeError(error, 'protocol_violation') && !isFootbridgeError(error, 'too_large'))
          fail(`an untyped failure (${String(error)})`, index, input)
        outcomes.refused++
        continue
      }
      if (frame === undefined) outcomes.skipped++
      else {
        outcomes.read++
        // JSON has no minus zero.
        const written: unknown = JSON.parse(JSON.stringify(frame))
        if (!isDeepStrictEqual(decodeControlFrame(encodeJsonFrame(frame)), written)) fail('no round trip', index, input)
      }
    }
    expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(PER_DECODER / 100)
  })

  it('do not take the prototype of an object for a field', () => {
    decodeControlFrame(utf8Encode('{"type":"replaced","__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'))
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })
})

const CONTROL: readonly object[] = [
  { type: 'hello', now: 1 },
  { type: 'welcome', now: 1, limits: { bytesPerSecond: null, bytesPerDay: 5, bytesUsedToday: 0, circuits: 3, circuitsPerMinute: null } },
  { type: 'held', limit: 'circuits', scope: 'token', until: null },
  { type: 'held', limit: 'a new one', scope: 'peer', until: 7 },
  { type: 'ending', peer: '12D3KooW', reason: 'draining', at: 9 },
  { type: 'replaced' },
  { type: 'draining', reconnectInMs: 100, awayMs: null },
]

const values = (random: Random): unknown =>
  random.pick<() => unknown>([
    () => null,
    () => -1,
    () => 2 ** 53 * random.below(9),
    () => random.below(1_000) / 7,
    () => true,
    () => '',
    () => 'x'.repeat(random.below(300)),
    () => [],
    () => ({ limits: {} }),
    () => Array.from({ length: random.below(50) }, () => ({})),
    () => '\ud800',
  ])()

/** A frame with a field changed, left out, added or nested; its text cut, spoiled, repeated or blown up; or no JSON at all. */
function spoiledControl(random: Random): Uint8Array {
  const frame: Record<string, unknown> = { ...random.pick(CONTROL) }
  const names = Object.keys(frame)
  for (let times = random.below(3); times > 0; times--) frame[random.pick([...names, 'other', '__proto__'])] = values(random)
  if (random.below(6) === 0) delete frame[random.pick(names)]
  if (random.below(8) === 0) frame['type'] = random.pick(['weather', 'HELLO', 7, null])
  const text = utf8Encode(JSON.stringify(frame))
  switch (random.below(12)) {
    case 0:
      return text.slice(0, random.below(text.length + 1))
    case 1:
      return text.map((byte, index) => (index === random.below(text.length) ? random.below(256) : byte))
    case 2:
      return random.bytes(random.below(60))
    case 3:
      return utf8Encode(`${'['.repeat(random.below(2_000))}1`)
    case 4:
      return utf8Encode(JSON.stringify(frame).replace(/\d+/, () => random.pick(['1e999', '-0', '1E400', '0x10', '9'.repeat(400)])))
    case 5:
      return random.below(40) === 0 ? new Uint8Array(MAX_FRAME_BYTES + random.below(3)).fill(0x20) : text
    case 6:
      return utf8Encode(JSON.stringify(frame).replace('{', `{"type":${JSON.stringify(values(random))},`))
    default:
      return text
  }
}
