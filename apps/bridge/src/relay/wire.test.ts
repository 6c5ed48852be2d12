/** The relay's messages: what is written is read back, strangers' bytes fail in one typed way, and the stock codec agrees. */
import { isFootbridgeError } from '@footbridge/shared/errors'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HOP_TYPES, STOP_TYPES, decodeHopMessage, decodeStopMessage, encodeHopMessage, encodeStopMessage } from './wire.ts'

const bytes = fc.uint8Array({ maxLength: 64 })
const optional = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> => fc.option(value, { nil: undefined })
const peer = fc.record({ id: bytes, addrs: fc.array(bytes, { maxLength: 4 }) })
const limit = fc.record({
  durationSeconds: optional(fc.nat({ max: 2 ** 32 - 1 })),
  dataBytes: optional(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
})
const reservation = fc.record({
  expire: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  addrs: fc.array(bytes, { maxLength: 4 }),
  voucher: optional(bytes),
})
const status = optional(fc.nat({ max: 2 ** 31 }))
const hop = fc.record({
  type: optional(fc.constantFrom(...HOP_TYPES)),
  peer: optional(peer),
  reservation: optional(reservation),
  limit: optional(limit),
  status,
})
const stop = fc.record({ type: optional(fc.constantFrom(...STOP_TYPES)), peer: optional(peer), limit: optional(limit), status })

describe('relay messages', () => {
  it('gives back every HOP message that it wrote', () => {
    fc.assert(
      fc.property(hop, (message) => {
        expect(decodeHopMessage(encodeHopMessage(message))).toEqual(message)
      }),
    )
  })

  it('gives back every STOP message that it wrote', () => {
    fc.assert(
      fc.property(stop, (message) => {
        expect(decodeStopMessage(encodeStopMessage(message))).toEqual(message)
      }),
    )
  })

  it('reads random bytes or refuses them as a protocol violation', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 256 }), (random) => {
        for (const decode of [decodeHopMessage, decodeStopMessage]) {
          try {
            decode(random)
          } catch (error) {
            expect(isFootbridgeError(error, 'protocol_violation')).toBe(true)
          }
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('reads any cut of a message or refuses it as a protocol violation', () => {
    fc.assert(
      fc.property(hop, fc.nat(), (message, cut) => {
        const whole = encodeHopMessage(message)
        try {
          decodeHopMessage(whole.subarray(0, cut % (whole.length + 1)))
        } catch (error) {
          expect(isFootbridgeError(error, 'protocol_violation')).toBe(true)
        }
      }),
    )
  })

  it('writes the bytes of the specification', () => {
    // type 2, status 100 as varints; limit {duration 60 s, data 1024}
    expect([...encodeHopMessage({ type: 'STATUS', status: 100, limit: { durationSeconds: 60, dataBytes: 1024n } })]).toEqual([
      0x08, 0x02, 0x22, 0x05, 0x08, 60, 0x10, 0x80, 0x08, 0x28, 100,
    ])
    // The type is written although it is zero: its presence is asked for.
    expect([...encodeStopMessage({ type: 'CONNECT', peer: { id: Uint8Array.of(1, 2), addrs: [] } })]).toEqual([
      8, 0, 0x12, 4, 0x0a, 2, 1, 2,
    ])
  })

  it('skips fields that it does not know and takes the last of a repeated one', () => {
    expect(decodeHopMessage(Uint8Array.of(0x7a, 2, 9, 9, 0x28, 100, 0x28, 0xc9, 1)).status).toBe(201)
  })

  it('has no type for one that it does not know', () => {
    expect(decodeHopMessage(Uint8Array.of(8, 7)).type).toBeUndefined()
  })

  it.each([
    ['a length past the end', [0x12, 0x7f, 1]],
    ['an endless varint', Array<number>(11).fill(0xff)],
    ['field number zero', [0x02, 0]],
    ['a group', [0x0b]],
    ['bytes where a number belongs', [0x0a, 1, 1]],
  ])('refuses %s', (_, wrong) => {
    expect(() => decodeHopMessage(Uint8Array.from(wrong))).toThrow(expect.objectContaining({ code: 'protocol_violation' }))
  })
})
