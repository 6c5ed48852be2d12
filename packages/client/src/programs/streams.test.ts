import type { Connection, Stream, StreamHandler as Libp2pHandler } from '@libp2p/interface'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { beforeEach, expect, test } from 'vitest'
import type { ProgramEvent } from './api.ts'
import { createStreams, type Streams } from './streams.ts'

const ECHO = '/echo/1.0.0'
const bob = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))

let handlers: Map<string, Libp2pHandler>
let told: ProgramEvent[]
let failed: unknown[]
let readers: number
let streams: Streams
let refusal: Error | undefined

beforeEach(() => {
  handlers = new Map()
  told = []
  failed = []
  readers = 1
  refusal = undefined
  streams = createStreams({
    libp2p: {
      handle: async (protocol, handler) => void handlers.set(String(protocol), handler as Libp2pHandler),
      unhandle: async (protocol) => void handlers.delete(String(protocol)),
      getProtocols: () => ['/ipfs/ping/1.0.0'],
    },
    connection: async () =>
      ({ newStream: () => (refusal ? Promise.reject(refusal) : Promise.resolve(fakeStream())) }) as unknown as Connection,
    tell(event) {
      told.push(event)
      return readers
    },
    onError: (_protocol, error) => void failed.push(error),
    signal: new AbortController().signal,
  })
})

function fakeStream(): Stream & { aborted: boolean } {
  const stream = { aborted: false, abort: () => void (stream.aborted = true) }
  return stream as unknown as Stream & { aborted: boolean }
}

/** A stream of Bob's comes in. */
function comeIn(): Stream & { aborted: boolean } {
  const stream = fakeStream()
  void handlers.get(ECHO)?.(stream, { remotePeer: bob } as Connection)
  return stream
}

test('an incoming stream comes to its handler and is told of', async () => {
  const taken: unknown[] = []
  const end = await streams.handle(ECHO, (opened) => void taken.push(opened))
  const stream = comeIn()
  const opened = { peer: bob.toString(), protocol: ECHO, stream }
  expect(taken).toEqual([opened])
  expect(told).toEqual([{ type: 'streamOpened', ...opened }])
  await end()
  expect(handlers.size).toBe(0)
})

test('without a handler it belongs to the readers of the event, and is cut when the last of them cannot read it', async () => {
  readers = 2
  await streams.handle(ECHO)
  const stream = comeIn()
  for (const event of told) streams.dropped(event)
  expect(stream.aborted).toBe(false)
  for (const event of told) streams.dropped(event)
  expect(stream.aborted).toBe(true)
  readers = 0
  expect(comeIn().aborted).toBe(true)
})

test('a stream that a handler owns is not cut because a reader of events is slow', async () => {
  await streams.handle(ECHO, () => undefined)
  const stream = comeIn()
  for (const event of told) streams.dropped(event)
  expect(stream.aborted).toBe(false)
})

test('a handler that fails, now or later, has its stream cut and is reported', async () => {
  let isLater = false
  await streams.handle(ECHO, () => {
    if (isLater) return Promise.reject(new Error('later'))
    throw new Error('now')
  })
  expect(comeIn().aborted).toBe(true)
  isLater = true
  const stream = comeIn()
  await expect.poll(() => stream.aborted).toBe(true)
  expect(failed).toEqual([new Error('now'), new Error('later')])
})

test('a protocol has one handler, and those of the node are its own', async () => {
  await streams.handle(ECHO)
  for (const protocol of [ECHO, '/ipfs/ping/1.0.0', 'echo', ''])
    await expect(streams.handle(protocol)).rejects.toMatchObject({ code: 'bad_request' })
})

test('a stream that cannot be opened says why', async () => {
  await expect(streams.openStream('bob', ECHO)).rejects.toMatchObject({ code: 'bad_request' })
  refusal = Object.assign(new Error('no'), { name: 'UnsupportedProtocolError' })
  await expect(streams.openStream(bob.toString(), ECHO)).rejects.toMatchObject({ code: 'not_found' })
  refusal = new Error('the connection is gone')
  await expect(streams.openStream(bob.toString(), ECHO)).rejects.toMatchObject({ code: 'peer_unreachable' })
  const gaveUp = AbortSignal.abort()
  await expect(streams.openStream(bob.toString(), ECHO, gaveUp)).rejects.toMatchObject({ code: 'aborted' })
})
