import { streamPair } from '@libp2p/utils'
import { FootbridgeError } from '@footbridge/shared/errors'
import { utf8Encode } from '@footbridge/shared/text-codec'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { frameStream } from '../frame-stream.ts'
import { sendDirectMessage } from './direct-message-asker.ts'
import { serveDirectMessage, type DirectMessageServer } from './direct-message-server.ts'
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  MAX_DIRECT_MESSAGE_BYTES,
  type DirectMessageRequest,
  type DirectMessageResponse,
} from './direct-message.ts'

/** FUZZ_INPUTS says how many. */
const INPUTS = Math.min(100_000, Number(process.env['FUZZ_INPUTS'] ?? 2_000))
/** Over pairs of streams, which cost more; a hundred thousand go into the handler in packages/client/src/node/fuzz.test.ts. */
const STREAMS = Math.min(1_000, Math.ceil(INPUTS / 40))
const FUZZ_MS = 1_800_000

const text = fc.string({ unit: 'grapheme', maxLength: 200 })
const metadata = fc.option(fc.record({ clientVersion: text, timestamp: fc.integer({ min: -(2 ** 40), max: 2 ** 45 }) }), { nil: undefined })
const own = { clientVersion: '0.0.1', timestamp: 1_700_000_000_000 }

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const unhex = (digits: string): Uint8Array => Uint8Array.from(Buffer.from(digits.replaceAll(' ', ''), 'hex'))

test('a request stands on the wire as universal-connectivity writes it', () => {
  const request: DirectMessageRequest = { metadata: own, content: 'hello', type: 'text/plain' }
  const wire = '0a0e 0a05302e302e31 1080d095ffbc31 1205 68656c6c6f 1a0a 746578742f706c61696e'
  expect(hex(encodeRequest(request))).toBe(wire.replaceAll(' ', ''))
  expect(decodeRequest(unhex(wire))).toEqual(request)
})

test('a response says OK as 200 in two bytes', () => {
  expect(hex(encodeResponse({ metadata: undefined, status: 200, statusText: undefined }))).toBe('10c801')
  expect(decodeResponse(unhex('10f403 1a026e6f'))).toEqual({ metadata: undefined, status: 500, statusText: 'no' })
})

test('what is encoded decodes to the same', () => {
  fc.assert(
    fc.property(fc.record({ metadata, content: text, type: text }), (request) => {
      expect(decodeRequest(encodeRequest(request))).toEqual(request)
    }),
  )
  const response = fc.record({ metadata, status: fc.constantFrom(0, 200, 500), statusText: fc.option(text, { nil: undefined }) })
  fc.assert(
    fc.property(response, (value: DirectMessageResponse) => {
      expect(decodeResponse(encodeResponse(value))).toEqual(value)
    }),
  )
})

test('fields that are not known are skipped', () => {
  const known = encodeRequest({ metadata: own, content: 'hello', type: 'text/plain' })
  const strange = unhex('4205 6162636465 2801 3101020304 05060708 3d01020304')
  expect(decodeRequest(Uint8Array.from([...strange, ...known]))).toEqual({ metadata: own, content: 'hello', type: 'text/plain' })
})

test(
  'bad bytes throw nothing untyped',
  () => {
    const valid = encodeRequest({ metadata: own, content: 'hello', type: 'text/plain' })
    const broken = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.tuple(fc.nat({ max: valid.length - 1 }), fc.nat({ max: 255 })).map(([at, byte]) => valid.with(at, byte)),
      fc.nat({ max: valid.length }).map((length) => valid.subarray(0, length)),
    )
    fc.assert(
      fc.property(broken, (bytes) => {
        for (const decode of [decodeRequest, decodeResponse]) {
          try {
            decode(bytes)
          } catch (error) {
            expect(error).toBeInstanceOf(FootbridgeError)
            expect((error as FootbridgeError).code).toBe('protocol_violation')
          }
        }
      }),
      { numRuns: INPUTS },
    )
  },
  FUZZ_MS,
)

function keeping(kept: DirectMessageRequest[], keep?: () => Promise<void>): DirectMessageServer {
  return {
    metadata: () => own,
    async keep(request) {
      await keep?.()
      kept.push(request)
    },
  }
}

test('a message is kept before its sender hears that it was delivered', async () => {
  const [alice, bob] = await streamPair()
  const kept: DirectMessageRequest[] = []
  const serving = serveDirectMessage(bob, keeping(kept))
  let written = false
  expect(await sendDirectMessage(alice, 'hello', own, () => (written = true))).toEqual({ kind: 'delivered' })
  expect(written).toBe(true)
  expect(kept).toEqual([{ metadata: own, content: 'hello', type: 'text/plain' }])
  expect(await serving).toBeUndefined()
})

test('what cannot be kept is answered with an error that says nothing of this device', async () => {
  const [alice, bob] = await streamPair()
  const serving = serveDirectMessage(
    bob,
    keeping([], () => Promise.reject(new Error('disk 3 in /home/bob is on fire'))),
  )
  expect(await sendDirectMessage(alice, 'hello', own)).toEqual({ kind: 'refused', status: 500, text: 'the message was not kept' })
  expect(await serving).toMatchObject({ code: 'internal' })
})

test.each([
  ['another type', { metadata: own, content: 'hello', type: 'text/html' }],
  ['nothing', { metadata: own, content: '', type: 'text/plain' }],
])('a message of %s is refused and not kept', async (_what, request) => {
  const [alice, bob] = await streamPair()
  const kept: DirectMessageRequest[] = []
  void serveDirectMessage(bob, keeping(kept))
  const frames = frameStream(alice, { maxFrameBytes: MAX_DIRECT_MESSAGE_BYTES })
  await frames.write([encodeRequest(request)])
  expect(decodeResponse((await frames.read()) ?? new Uint8Array())).toMatchObject({ status: 500 })
  expect(kept).toEqual([])
})

test('a frame above the limit is refused unread', async () => {
  const [alice, bob] = await streamPair()
  const kept: DirectMessageRequest[] = []
  const serving = serveDirectMessage(bob, keeping(kept))
  alice.send(unhex('818004'))
  expect(await serving).toMatchObject({ code: 'too_large' })
  expect(kept).toEqual([])
})

test('a stream that ends before its message is reset', async () => {
  const [alice, bob] = await streamPair()
  const serving = serveDirectMessage(bob, keeping([]))
  await alice.close()
  expect(await serving).toMatchObject({ code: 'protocol_violation' })
})

test('a text that fits no frame is not sent', async () => {
  const [alice] = await streamPair()
  await expect(sendDirectMessage(alice, '€'.repeat(30_000), own)).rejects.toMatchObject({ code: 'too_large' })
})

test(
  'random frames end the stream with a typed error and keep nothing',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 100 }), fc.boolean(), async (bytes, isFramed) => {
        const [alice, bob] = await streamPair()
        const kept: DirectMessageRequest[] = []
        const serving = serveDirectMessage(bob, keeping(kept))
        alice.send(isFramed ? Uint8Array.of(bytes.length, ...bytes) : bytes)
        await alice.close()
        expect(await serving).toBeInstanceOf(FootbridgeError)
        expect(kept).toEqual([])
      }),
      { numRuns: STREAMS },
    )
  },
  FUZZ_MS,
)

test('an answer that is none fails as a broken protocol', async () => {
  const [alice, bob] = await streamPair()
  const sent = sendDirectMessage(alice, 'hello', own)
  await frameStream(bob, { maxFrameBytes: 1000 }).write([utf8Encode('\x07 what?')])
  await expect(sent).rejects.toMatchObject({ code: 'protocol_violation' })
})
