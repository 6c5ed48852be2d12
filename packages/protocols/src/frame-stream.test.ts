import { streamPair } from '@libp2p/utils'
import { isFootbridgeError } from '@footbridge/shared/errors'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { frameStream } from './frame-stream.ts'

test('a frame arrives as it was written, whatever its length and parts', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 1, maxLength: 3 }), { maxLength: 5 }),
      async (frames) => {
        const [near, far] = await streamPair()
        const writer = frameStream(near, { maxFrameBytes: 2000 })
        const reader = frameStream(far, { maxFrameBytes: 2000, maxBufferBytes: 20_000 })
        for (const parts of frames) await writer.write(parts)
        for (const parts of frames) expect(await reader.read()).toEqual(Uint8Array.from(parts.flatMap((part) => [...part])))
        await near.close()
        expect(await reader.read()).toBeUndefined()
      },
    ),
    { numRuns: 25 },
  )
})

test('random bytes never throw anything untyped', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
      const [near, far] = await streamPair()
      const reader = frameStream(far, { maxFrameBytes: 100 })
      near.send(bytes)
      const closed = near.close()
      for (;;) {
        const frame = await reader.read().catch((error: unknown) => (isFootbridgeError(error) ? undefined : Promise.reject(error)))
        if (frame === undefined) break
        expect(frame.length).toBeLessThanOrEqual(100)
      }
      await closed
    }),
    { numRuns: 50 },
  )
})

test('a length without an end is refused before it is buffered', async () => {
  const [near, far] = await streamPair()
  near.send(new Uint8Array(8).fill(0x80))
  await expect(frameStream(far, { maxFrameBytes: 100 }).read()).rejects.toMatchObject({ code: 'protocol_violation' })
})

test('a frame over the limit is refused by its length alone', async () => {
  const [near, far] = await streamPair()
  near.send(Uint8Array.of(0xff, 0x7f))
  await expect(frameStream(far, { maxFrameBytes: 100 }).read()).rejects.toMatchObject({ code: 'too_large' })
})
