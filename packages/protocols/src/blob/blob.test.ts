import { streamPair } from '@libp2p/utils'
import { MAX_OUTSTANDING_BLOCKS } from '@footbridge/shared/limits'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { expect, test } from 'vitest'
import { frameStream } from '../frame-stream.ts'
import { createBlobRequester } from './blob-requester.ts'
import { serveBlobs } from './blob-server.ts'

const RAW = 0x55

async function block(seed: number, length = 1000): Promise<{ cid: CID; bytes: Uint8Array }> {
  const bytes = Uint8Array.from({ length }, (_, index) => (index * 7 + seed) % 256)
  return { cid: CID.createV1(RAW, await sha256.digest(bytes)), bytes }
}

test('a block is given to who wants it, and its absence is told', async () => {
  const [alice, bob] = await streamPair()
  const { cid, bytes } = await block(1)
  const serving = serveBlobs(bob, async (wanted) => (CID.decode(wanted).equals(cid) ? bytes : undefined))
  const requester = createBlobRequester(alice)
  expect(await requester.request(cid)).toEqual(bytes)
  expect(await requester.request((await block(2)).cid)).toBeUndefined()
  expect(requester.open).toBe(true)
  requester.close()
  await serving
})

test('no more blocks than the limit are outstanding on a stream', async () => {
  const [alice, bob] = await streamPair()
  const blocks = await Promise.all(Array.from({ length: MAX_OUTSTANDING_BLOCKS }, (_, index) => block(index)))
  const gate = Promise.withResolvers<void>()
  void serveBlobs(bob, async (wanted) => {
    await gate.promise
    return blocks.find(({ cid }) => cid.equals(CID.decode(wanted)))?.bytes
  })
  const requester = createBlobRequester(alice)
  const asked = blocks.map(({ cid }) => requester.request(cid))
  expect(requester.free).toBe(0)
  await expect(requester.request((await block(99)).cid)).rejects.toMatchObject({ code: 'rate_limited' })
  gate.resolve()
  expect(await Promise.all(asked)).toEqual(blocks.map(({ bytes }) => bytes))
  expect(requester.free).toBe(MAX_OUTSTANDING_BLOCKS)
  requester.close()
})

test('bytes that do not hash to their CID are refused and the stream is ended', async () => {
  const [alice, bob] = await streamPair()
  const { cid } = await block(1)
  void serveBlobs(bob, async () => Uint8Array.of(1, 2, 3))
  const requester = createBlobRequester(alice)
  await expect(requester.request(cid)).rejects.toMatchObject({ code: 'block_mismatch' })
  expect(requester.open).toBe(false)
})

test('blocks of two mebibytes pass, several at once', async () => {
  const [alice, bob] = await streamPair({ delay: 0, capacity: 4 })
  const blocks = await Promise.all([1, 2, 3, 4].map((seed) => block(seed, 2 * 1024 * 1024)))
  void serveBlobs(bob, async (wanted) => blocks.find(({ cid }) => cid.equals(CID.decode(wanted)))?.bytes)
  const requester = createBlobRequester(alice)
  const got = await Promise.all(blocks.map(({ cid }) => requester.request(cid)))
  expect(got.map((bytes) => bytes?.length)).toEqual(blocks.map(({ bytes }) => bytes.length))
  requester.close()
})

test('a request ends with its caller, and the stream with it', async () => {
  const [alice, bob] = await streamPair()
  void serveBlobs(bob, () => new Promise(() => undefined))
  const requester = createBlobRequester(alice)
  const stop = new AbortController()
  const asked = requester.request((await block(1)).cid, stop.signal)
  stop.abort()
  await expect(asked).rejects.toMatchObject({ code: 'aborted' })
  expect(requester.open).toBe(false)
})

test('who sends more wants than may be unanswered loses the stream', async () => {
  const [alice, bob] = await streamPair()
  const serving = serveBlobs(bob, () => new Promise(() => undefined))
  const closed = new Promise((resolve) => alice.addEventListener('close', resolve))
  const frames = frameStream(alice, { maxFrameBytes: 1000 })
  for (let sent = 0; sent < 30; sent++) await frames.write([new Uint8Array(120).fill(1)]).catch(() => undefined)
  await closed
  expect((await serving)?.code).toBeDefined()
})

test('random frames at either end throw nothing untyped', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
      const [alice, bob] = await streamPair()
      const serving = serveBlobs(bob, async () => undefined)
      await frameStream(alice, { maxFrameBytes: 1000 }).write([bytes])
      await alice.close()
      expect((await serving)?.code ?? 'closed').toMatch(/protocol_violation|too_large|aborted|closed/)

      const [carol, dave] = await streamPair()
      const requester = createBlobRequester(carol)
      const asked = requester.request((await block(1)).cid)
      await frameStream(dave, { maxFrameBytes: 1000 }).write([bytes])
      await dave.close()
      await expect(asked.then((got) => got ?? Promise.reject({ code: 'absent' }))).rejects.toMatchObject({ code: expect.any(String) })
    }),
    { numRuns: 30 },
  )
})
