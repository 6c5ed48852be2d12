/**
 * For tests: right messages of libp2p's own protocols, to be spoiled, and the ways of spoiling what is put on a stream.
 * Not here: messages of our protocols (each test has those of its node), and how a single message is spoiled (test-mutations.ts).
 */
import { multiaddr } from '@multiformats/multiaddr'
import type { FuzzInput } from './test-fuzz.ts'
import { mutate, type Random } from './test-mutations.ts'

/** A right message from the peer of this id (as multihash). */
export type MakeMessage = (random: Random, id: Uint8Array) => Uint8Array

const varint = (value: number): number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 128))])
export const number = (field: number, value: number): Uint8Array => Uint8Array.from([...varint(field << 3), ...varint(value)])
export const bytes = (field: number, ...parts: readonly (string | Uint8Array)[]): Uint8Array => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)))
  return Buffer.concat([Uint8Array.from([...varint((field << 3) | 2), ...varint(body.length)]), body])
}
const fixed64 = (field: number, random: Random): Uint8Array => Uint8Array.from([(field << 3) | 1, ...random.bytes(8)])
export const many = (random: Random, most: number, make: () => Uint8Array): Uint8Array =>
  Buffer.concat(Array.from({ length: random.below(most + 1) }, make))

/** With its length before it. */
export const framed = (body: Uint8Array): Uint8Array => Buffer.concat([Uint8Array.from(varint(body.length)), body])

const ADDRESSES = ['/ip4/127.0.0.1/tcp/9', '/ip6/::1/udp/9/quic-v1', '/ip4/10.0.0.1/tcp/4001'].map((text) => multiaddr(text).bytes)

/** Addresses that nobody may be made to dial, and some that are none. */
const address = (random: Random): Uint8Array => (random.below(4) === 0 ? random.bytes(random.below(40)) : random.pick(ADDRESSES))

const topicOf = (random: Random): string => `room-${random.below(20_000)}`

export const kademlia: MakeMessage = (random, id) =>
  Buffer.concat([
    number(1, random.below(6)),
    bytes(2, random.pick([id, random.bytes(34), `/pk/${random.below(9)}`, random.bytes(random.below(70))])),
    many(random, 1, () => bytes(3, bytes(1, '/pk/x'), bytes(2, random.bytes(random.below(3_000))), bytes(5, '2026-01-01T00:00:00Z'))),
    many(random, 3, () => bytes(8, bytes(1, id), bytes(2, address(random)), number(3, random.below(5)))),
    many(random, 3, () => bytes(9, bytes(1, random.pick([id, random.bytes(38)])), bytes(2, address(random)))),
  ])

export const autoNat: MakeMessage = (random, id) =>
  Buffer.concat([
    number(1, 0),
    bytes(
      2,
      bytes(
        1,
        bytes(1, id),
        many(random, 4, () => bytes(2, address(random))),
      ),
    ),
  ])

export const autoNatDialRequest: MakeMessage = (random) =>
  random.below(4) === 0
    ? bytes(4, bytes(1, random.bytes(random.below(5_000))))
    : bytes(
        1,
        many(random, 4, () => bytes(1, address(random))),
        fixed64(2, random),
      )

export const autoNatDialBack: MakeMessage = (random) => fixed64(1, random)

export const dcutr: MakeMessage = (random) =>
  Buffer.concat([number(1, random.pick([100, 300])), many(random, 4, () => bytes(2, address(random)))])

export const identifyPush: MakeMessage = (random) =>
  Buffer.concat([
    bytes(5, 'ipfs/0.1.0'),
    bytes(6, 'mallory/1.0.0'),
    many(random, 4, () => bytes(2, address(random))),
    many(random, 9, () => bytes(3, `/protocol/${random.below(30)}`)),
    many(random, 1, () => bytes(8, random.bytes(random.below(200)))),
    many(random, 1, () => bytes(1, random.bytes(36))),
  ])

export const gossip: MakeMessage = (random, id) => {
  const topic = topicOf(random)
  return Buffer.concat([
    many(random, 3, () => bytes(1, number(1, random.below(2)), bytes(2, topic))),
    many(random, 2, () =>
      bytes(
        2,
        bytes(1, id),
        bytes(2, random.bytes(random.below(300))),
        bytes(3, random.bytes(8)),
        bytes(4, topic),
        bytes(5, random.bytes(64)),
      ),
    ),
    many(random, 1, () =>
      bytes(
        3,
        bytes(
          1,
          bytes(1, topic),
          many(random, 9, () => bytes(2, random.bytes(20))),
        ),
        bytes(
          2,
          many(random, 9, () => bytes(1, random.bytes(20))),
        ),
        bytes(3, bytes(1, topic)),
        bytes(4, bytes(1, topic), bytes(2, bytes(1, random.bytes(38))), number(3, random.below(100_000))),
        bytes(
          5,
          many(random, 9, () => bytes(1, random.bytes(20))),
        ),
      ),
    ),
  ])
}

export const stop: MakeMessage = (random, id) =>
  Buffer.concat([number(1, random.below(3)), bytes(2, bytes(1, id)), bytes(3, number(1, 60))])

/** Says who the node is, or gives back what came: what it is sent is nothing in particular. */
export const noise: MakeMessage = (random) => random.bytes(random.below(300))

/** Zeros that are longer than any message may be. Shared: nobody writes into what arrives. */
const LONG = framed(new Uint8Array(12_000))
const VERY_LONG = framed(new Uint8Array(5 * 1024 * 1024))

/** What is put on a stream: framed messages that are right, spoiled, cut off, too long, or none. */
export function makeStreamBytes(random: Random, message: Uint8Array): Uint8Array {
  switch (random.below(8)) {
    case 0:
      return random.bytes(random.below(100))
    case 1: // Cut off.
      return framed(message).slice(0, random.below(message.length + 2))
    case 2: // A length that claims gigabytes, and one without an end.
      return Uint8Array.from([0xff, 0xff, 0xff, 0xff, random.pick([0x0f, 0xff]), ...random.bytes(40)])
    case 3:
      return random.below(20) === 0 ? VERY_LONG : LONG
    case 4: // Right, so that what follows the decoder is met too.
      return framed(message)
    case 5:
      return Buffer.concat([framed(message), framed(mutate(message, random))])
    default:
      return framed(mutate(message, random))
  }
}

/** What a test makes of the messages of one protocol. */
export type MakeInput = (random: Random, id: Uint8Array) => FuzzInput

/** @param check told what was answered, where the stream was not reset, and what had been sent. @throws what is wrong with it */
export function spoiled(make: MakeMessage, check?: (answer: Uint8Array, sent: Uint8Array) => void): MakeInput {
  return (random, id) => {
    const sent = makeStreamBytes(random, make(random, id))
    if (random.below(3) === 0) return { bytes: sent, end: 'reset' }
    return { bytes: sent, end: 'close', check: check && ((answer) => check(answer, sent)) }
  }
}

/** Frame after frame, all whole, on a stream that ends in order: for a handler that forgets a peer with the first broken frame, and with it all that it might keep. */
export function wholeFrames(make: MakeMessage): MakeInput {
  return (random, id) => ({
    bytes: Buffer.concat(
      Array.from({ length: 1 + random.below(3) }, () => {
        const message = make(random, id)
        return framed(random.below(2) === 0 ? message : mutate(message, random))
      }),
    ),
    end: 'close',
  })
}

/** The bodies of what was answered. @throws when that is not frame after frame */
export function framesOf(answer: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = []
  for (let offset = 0; offset < answer.length;) {
    let length = 0
    for (let shift = 0; ; shift += 7) {
      const byte = answer[offset++]
      if (byte === undefined) throw new Error('the answer ends in the middle of a length')
      length += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) break
    }
    if (offset + length > answer.length) throw new Error('the answer ends in the middle of a frame')
    frames.push(answer.subarray(offset, offset + length))
    offset += length
  }
  return frames
}
