/**
 * Bad and good bytes to everything that reads: the codec, records, cookies, and a point that is served them. A few hundred here; `npm test` runs 100 000, and FUZZ_INPUTS says how many.
 */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, Stream } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { streamPair } from '@libp2p/utils'
import { FootbridgeError } from '@footbridge/shared/errors'
import { multiaddr } from '@multiformats/multiaddr'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { signRecords } from '../announce/signed-records.ts'
import { frameStream } from '../frame-stream.ts'
import { createCookies } from './cookies.ts'
import { openEitherRecord } from './records.ts'
import { createRendezvousServer } from './rendezvous-server.ts'
import { decodeMessage, encodeMessage, typeOf, type RendezvousMessage } from './wire.ts'

// With FUZZ_INPUTS it takes minutes, on a machine that may be busy.
vi.setConfig({ testTimeout: 900_000 })

const INPUTS = Math.min(100_000, Number(process.env['FUZZ_INPUTS'] ?? 1_000))
const ADDRESS = multiaddr('/ip4/192.0.2.1/tcp/4001')
const key = await generateKeyPair('Ed25519')
const { envelope, legacy } = await signRecords(key, [ADDRESS], 1n)

const optional = <Value>(arbitrary: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> => fc.option(arbitrary, { nil: undefined })
const text = optional(fc.string({ maxLength: 300, unit: 'binary' }))
const bytes = optional(fc.uint8Array({ maxLength: 300 }))
const number = optional(fc.maxSafeNat())
const registration = fc.record({ namespace: text, record: bytes, ttlSeconds: number })
const message: fc.Arbitrary<RendezvousMessage> = fc.oneof(
  registration.map((fields) => ({ type: 'register' as const, ...fields })),
  fc.record({ type: fc.constant('register-answer' as const), status: fc.nat(500), statusText: text, ttlSeconds: number }),
  fc.record({ type: fc.constant('unregister' as const), namespace: text }),
  fc.record({ type: fc.constant('discover' as const), namespace: text, limit: number, cookie: bytes }),
  fc.record({
    type: fc.constant('discover-answer' as const),
    registrations: fc.array(registration, { maxLength: 5 }),
    cookie: bytes,
    status: fc.nat(500),
    statusText: text,
  }),
)
const valid = encodeMessage({ type: 'register', namespace: 'meadow', record: envelope, ttlSeconds: 7200 })
const bad = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  message.chain((good) => spoilt(encodeMessage(good))),
  spoilt(valid),
)

function spoilt(good: Uint8Array): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    fc.nat({ max: good.length }).map((length) => good.subarray(0, length)),
    fc.tuple(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 })).map(([at, byte]) => good.with(at, byte)),
    fc.uint8Array({ maxLength: 20 }).map((more) => Uint8Array.from([...good, ...more])),
  )
}

test('W1: what is written is read again as it was', () => {
  fc.assert(
    fc.property(message, (written) => {
      expect(decodeMessage(encodeMessage(written))).toEqual(written)
    }),
    { numRuns: INPUTS },
  )
})

test('W2: bad bytes throw a protocol violation and nothing else', () => {
  fc.assert(
    fc.property(bad, (input) => {
      typeOf(input)
      try {
        decodeMessage(input)
      } catch (error) {
        expect(error instanceof FootbridgeError && error.code).toBe('protocol_violation')
      }
    }),
    { numRuns: INPUTS },
  )
})

test('K1: a cookie is read for its namespace, and nothing else is one', async () => {
  const cookies = createCookies(new Uint8Array(32).fill(1))
  const others = createCookies(new Uint8Array(32).fill(2))
  await fc.assert(
    fc.asyncProperty(
      fc.string({ maxLength: 40 }),
      fc.maxSafeNat(),
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(29),
      async (namespace, position, noise, at) => {
        const cookie = await cookies.make(namespace, position)
        expect(await cookies.read(namespace, cookie)).toBe(position)
        expect(await cookies.read(`${namespace}.`, cookie)).toBeUndefined()
        expect(await others.read(namespace, cookie)).toBeUndefined()
        expect(await cookies.read(namespace, noise)).toBeUndefined()
        expect(await cookies.read(namespace, cookie.with(at, (cookie[at] ?? 0) ^ 1))).toBeUndefined()
      },
    ),
    { numRuns: Math.ceil(INPUTS / 5) },
  )
})

test('R1: bad bytes are no record, and never an exception', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.uint8Array({ maxLength: 300 }), spoilt(envelope), spoilt(legacy)), async (input) => {
      const opened = await openEitherRecord(input)
      // A few bits of a protobuf mean nothing; what is read is signed all the same.
      if (typeof opened !== 'string') expect([opened.seq, opened.addresses.map(String)]).toEqual([1n, [ADDRESS.toString()]])
    }),
    { numRuns: Math.ceil(INPUTS / 5) },
  )
})

test('S8: a point that is sent bad messages answers or resets, keeps nothing that is not signed, and serves on', async () => {
  const connection = { remotePeer: peerIdFromPrivateKey(key), remoteAddr: ADDRESS } as Connection
  let serve: ((stream: Stream, connection: Connection) => unknown) | undefined
  const server = createRendezvousServer({ policy: { scopesOf: () => [] }, schedule: () => () => undefined, clock: () => 0 })
  await server.start({
    handle: async (_protocol, handler) => {
      serve = typeof handler === 'function' ? handler : undefined
    },
    unhandle: async () => undefined,
  })
  const send = async (messages: readonly Uint8Array[]): Promise<RendezvousMessage[]> => {
    const [near, far] = await streamPair({ delay: 0 })
    void serve?.(far, connection)
    const frames = frameStream(near, { maxFrameBytes: 1024 * 1024 })
    const answers: RendezvousMessage[] = []
    try {
      for (const each of messages) await frames.write([each])
      await near.close()
      for (let read = await frames.read(); read !== undefined; read = await frames.read()) answers.push(decodeMessage(read))
    } catch (error) {
      expect(error).toMatchObject({ code: 'peer_unreachable' })
    }
    return answers
  }
  await fc.assert(
    fc.asyncProperty(fc.array(bad, { minLength: 1, maxLength: 20 }), async (messages) => {
      await send(messages)
      expect(server.size()).toBeLessThanOrEqual(32)
    }),
    // A hundred thousand go into the handler in apps/bridge/src/node/fuzz.test.ts.
    { numRuns: Math.min(1_000, Math.ceil(INPUTS / 10)) },
  )
  server.drop(connection.remotePeer.toString())
  expect(await send([valid])).toMatchObject([{ type: 'register-answer', status: 0 }])
  expect(server.size()).toBe(1)
})
