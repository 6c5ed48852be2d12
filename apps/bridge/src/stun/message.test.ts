/**
 * The bytes against the published vectors of RFC 5769, against themselves, and against noise. Foreign clients: stun-server.slow.test.ts and the journeys.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeBindingRequest, encodeMappedAddress, encodeUnknownAttributes, isStun, parseBinding } from './message.ts'

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex')
const ID = bytes('b7e7a701 bc34d686 fa87dfae')

/** RFC 5769, 2.1: a request of ICE, with attributes that a Binding server does not know. */
const SAMPLE_REQUEST = bytes(`
  00010058 2112a442 b7e7a701 bc34d686 fa87dfae  80220010 5354554e 20746573 7420636c 69656e74  00240004 6e0001ff
  80290008 932ff9b1 51263b36  00060009 6576746a 3a683676 59202020  00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2
  80280004 e57a3bcf`)
/** 2.2 and 2.3: answers with an IPv4 and an IPv6 address. */
const SAMPLE_IPV4 = bytes(`
  0101003c 2112a442 b7e7a701 bc34d686 fa87dfae  8022000b 74657374 20766563 746f7220  00200008 0001a147 e112a643
  00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7  80280004 c07d4c96`)
const SAMPLE_IPV6 = bytes(`
  01010048 2112a442 b7e7a701 bc34d686 fa87dfae  8022000b 74657374 20766563 746f7220
  00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9  00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41  80280004 c8fb0b4c`)
/** 2.4: a request with a long-term credential, without a fingerprint. */
const SAMPLE_LONG_TERM = bytes(`
  00010060 2112a442 78ad3433 c6ad72c0 29da412e  00060012 e3839ee3 8388e383 aae38383 e382afe3 82b90000
  0015001c 662f2f34 39396b39 3534643 64f4c3334 6f4c3946 53547679 36347341  0014000b 6578616d 706c652e 6f726700
  00080014 f6702465 6dd64a3e 02b8e071 2e85c9a2 8ca89666`)

describe('the vectors of RFC 5769', () => {
  it('are read: the request of ICE, whose priority a Binding server does not know', () => {
    expect(parseBinding(SAMPLE_REQUEST)).toEqual({
      kind: 'request',
      transactionId: new Uint8Array(ID),
      unknown: [0x0024],
      hasFingerprint: true,
      mapped: undefined,
      errorCode: undefined,
      software: 'STUN test client',
    })
  })

  it('are read: the answers, with their addresses', () => {
    expect(parseBinding(SAMPLE_IPV4)).toMatchObject({ kind: 'success', mapped: { address: '192.0.2.1', port: 32853 }, unknown: [] })
    expect(parseBinding(SAMPLE_IPV6)).toMatchObject({
      kind: 'success',
      mapped: { address: '2001:db8:1234:5678:11:2233:4455:6677', port: 32853 },
    })
  })

  it('are read: the long-term credential, which nobody asked for and nobody minds', () => {
    expect(parseBinding(SAMPLE_LONG_TERM)).toMatchObject({ kind: 'request', unknown: [], hasFingerprint: false })
  })

  it('are what we write, byte for byte, where both say the same', () => {
    const answer = encodeMappedAddress({ transactionId: ID, hasFingerprint: false }, { address: '192.0.2.1', port: 32853 })
    expect(Buffer.from(answer.subarray(20))).toEqual(SAMPLE_IPV4.subarray(36, 48))
    const long = encodeMappedAddress(
      { transactionId: ID, hasFingerprint: false },
      { address: '2001:db8:1234:5678:11:2233:4455:6677', port: 32853 },
    )
    expect(Buffer.from(long.subarray(20))).toEqual(SAMPLE_IPV6.subarray(36, 60))
  })

  it.each([SAMPLE_REQUEST, SAMPLE_IPV4, SAMPLE_IPV6])('are refused with any bit turned, unless that hides the fingerprint', (sample) => {
    for (let bit = 0; bit < sample.length * 8; bit++) {
      const turned = Buffer.from(sample)
      turned[bit >> 3]! ^= 1 << (bit & 7)
      expect(parseBinding(turned)?.hasFingerprint ?? false).toBe(false)
    }
  })
})

describe('an answer', () => {
  const address = fc.oneof(
    fc.ipV4(),
    fc
      .ipV6()
      .filter((text) => !text.includes('.'))
      .map((text) => new URL(`http://[${text}]`).hostname.slice(1, -1)),
  )
  const id = fc.uint8Array({ minLength: 12, maxLength: 12 })

  it('reads back as it was written, for every address', () => {
    fc.assert(
      fc.property(id, address, fc.integer({ min: 1, max: 65_535 }), fc.boolean(), (transactionId, from, port, hasFingerprint) => {
        const source = { address: from, port }
        expect(parseBinding(encodeMappedAddress({ transactionId, hasFingerprint }, source))).toMatchObject({
          kind: 'success',
          transactionId,
          hasFingerprint,
          mapped: source,
        })
      }),
    )
  })

  it('has 32 bytes for IPv4 and 44 for IPv6, 8 more with a fingerprint', () => {
    const size = (from: string, hasFingerprint: boolean): number =>
      encodeMappedAddress({ transactionId: ID, hasFingerprint }, { address: from, port: 1 }).length
    expect([size('192.0.2.1', false), size('192.0.2.1', true), size('2001:db8::1', false), size('2001:db8::1', true)]).toEqual([
      32, 40, 44, 52,
    ])
  })

  it('takes an IPv4 address on an IPv6 socket for what it is', () => {
    const answer = encodeMappedAddress({ transactionId: ID, hasFingerprint: false }, { address: '::ffff:192.0.2.7', port: 9 })
    expect(parseBinding(answer)?.mapped).toEqual({ address: '192.0.2.7', port: 9 })
  })

  it('420 names what was not understood', () => {
    const answer = encodeUnknownAttributes({ transactionId: ID, hasFingerprint: true }, [0x0024, 0x0025, 0x7fff])
    expect(parseBinding(answer)).toMatchObject({ kind: 'error', errorCode: 420, hasFingerprint: true })
    expect(answer.toString()).toBeDefined()
    expect(Buffer.from(answer).subarray(28, 40).toString('hex')).toBe('000a0006002400257fff0000')
  })
})

describe('a request', () => {
  it('of ours is understood, and can be made as long as its answer', () => {
    const request = encodeBindingRequest(ID, 'footbridge doctor')
    expect(parseBinding(request)).toMatchObject({ kind: 'request', unknown: [], hasFingerprint: true, software: 'footbridge doctor' })
    expect(request.length).toBeGreaterThanOrEqual(52)
  })

  it('without the cookie, of another length, or followed by anything is none', () => {
    const request = encodeBindingRequest(ID)
    expect(isStun(request)).toBe(true)
    expect(isStun(bytes('00010000 00000000 b7e7a701 bc34d686 fa87dfae'))).toBe(false)
    for (const wrong of [request.subarray(0, -1), Buffer.concat([request, Buffer.alloc(4)]), request.subarray(0, 19), new Uint8Array()])
      expect(parseBinding(wrong)).toBeUndefined()
    const tooLong = Buffer.alloc(1_284)
    bytes('000104f0 2112a442').copy(tooLong)
    expect(parseBinding(tooLong)).toBeUndefined()
  })
})

it('100 000 bad inputs, noise and damaged messages, throw nothing', () => {
  const samples = [SAMPLE_REQUEST, SAMPLE_IPV4, SAMPLE_IPV6, SAMPLE_LONG_TERM]
  let seed = 20_261_121
  const random = (below: number): number => {
    // xorshift32: the same inputs at every run.
    seed ^= seed << 13
    seed ^= seed >>> 17
    seed ^= seed << 5
    return (seed >>> 0) % below
  }
  let sound = 0
  for (let index = 0; index < 100_000; index++) {
    const isNoise = index % 4 === 0
    const input = isNoise ? Buffer.from(Array.from({ length: random(80) }, () => random(256))) : Buffer.from(samples[index % 4]!)
    if (isNoise) bytes('0001 0000 2112a442').copy(input)
    else for (let times = random(4); times >= 0; times--) input[random(input.length)] = random(256)
    const cut = random(3) === 0 ? input.subarray(0, random(input.length + 1)) : input
    if (isNoise && cut.length >= 20 && random(2) === 0) cut.writeUInt16BE(cut.length - 20, 2)
    const message = parseBinding(cut)
    if (message !== undefined) {
      sound++
      // Whatever is believed can be answered.
      const answer = encodeUnknownAttributes(message, message.unknown)
      expect(parseBinding(answer)?.transactionId).toEqual(message.transactionId)
    }
  }
  // Some damage hurts nothing: values that nobody reads.
  expect(sound).toBeGreaterThan(100)
  expect(sound).toBeLessThan(50_000)
})
