import { streamPair } from '@libp2p/utils'
import { FootbridgeError } from '@footbridge/shared/errors'
import { utf8Encode } from '@footbridge/shared/text-codec'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { concat } from '../uc-wire/fields.ts'
import { decodeFileId, fetchFile, MAX_FILE_ID_BYTES, serveFile, type ServedFile } from './file-exchange.ts'

const INPUTS = Math.min(100_000, Number(process.env['FUZZ_INPUTS'] ?? 2_000))
/** Over pairs of streams, which cost more; a hundred thousand go into the handler in packages/client/src/node/fuzz.test.ts. */
const STREAMS = Math.min(1_000, Math.ceil(INPUTS / 40))
const FUZZ_MS = 1_800_000
const MEGABYTE = 1024 * 1024

function file(bytes: Uint8Array): ServedFile {
  return { size: bytes.length, read: async (start, end) => bytes.slice(start, end) }
}

async function fetched(
  stream: Parameters<typeof fetchFile>[0],
  id: string,
  maxBytes = 10 * MEGABYTE,
): Promise<{ sizes: number[]; bytes: Uint8Array }> {
  const sizes: number[] = []
  const parts: Uint8Array[] = []
  await fetchFile(stream, id, { maxBytes, onSize: (size) => sizes.push(size), onPart: (part) => void parts.push(part) })
  return { sizes, bytes: concat(parts) }
}

test.each([0, 1, 127, 128, 65_536, 3 * MEGABYTE + 17])('a file of %i bytes comes as it is', async (length) => {
  const [alice, bob] = await streamPair()
  const bytes = Uint8Array.from({ length }, (_, index) => (index * 31) % 251)
  const asked: string[] = []
  const serving = serveFile(bob, async (id) => {
    asked.push(id)
    return file(bytes)
  })
  const got = await fetched(alice, 'b3f1')
  expect(got.sizes).toEqual([length])
  expect(Buffer.from(got.bytes).equals(bytes)).toBe(true)
  expect(asked).toEqual(['b3f1'])
  expect(await serving).toBeUndefined()
})

test('the request is the length and the id, the answer the length and the contents', async () => {
  const [alice, bob] = await streamPair()
  const got: number[] = []
  bob.addEventListener('message', ({ data }) => {
    got.push(...data.subarray())
    if (got.length === 3) bob.send(Uint8Array.from([3, 7, 8, 9]))
  })
  expect([...(await fetched(alice, 'id')).bytes]).toEqual([7, 8, 9])
  expect(got).toEqual([2, ...utf8Encode('id')])
})

test('a file that is not there resets the stream', async () => {
  const [alice, bob] = await streamPair()
  const serving = serveFile(bob, async () => undefined)
  await expect(fetched(alice, 'none')).rejects.toMatchObject({ code: 'peer_unreachable' })
  expect(await serving).toMatchObject({ code: 'not_found' })
})

test('a file above the limit is refused by its length', async () => {
  const [alice, bob] = await streamPair()
  void serveFile(bob, async () => file(new Uint8Array(MEGABYTE)))
  await expect(fetched(alice, 'large', MEGABYTE - 1)).rejects.toMatchObject({ code: 'too_large' })
})

test('a file that ends before its length fails', async () => {
  const [alice, bob] = await streamPair()
  bob.addEventListener('message', () => {
    bob.send(Uint8Array.from([5, 1, 2]))
    void bob.close()
  })
  await expect(fetched(alice, 'short')).rejects.toMatchObject({ code: 'peer_unreachable' })
})

test('a length without an end is refused', async () => {
  const [alice, bob] = await streamPair()
  bob.addEventListener('message', () => bob.send(new Uint8Array(20).fill(0x80)))
  await expect(fetched(alice, 'endless')).rejects.toMatchObject({ code: 'protocol_violation' })
})

test('a fetch that is called off resets the stream', async () => {
  const [alice, bob] = await streamPair()
  const calledOff = new AbortController()
  bob.addEventListener('message', () => bob.send(Uint8Array.from([100, 1, 2, 3])))
  const fetching = fetchFile(alice, 'x', {
    maxBytes: 1000,
    onSize: () => calledOff.abort(),
    onPart: () => undefined,
    signal: calledOff.signal,
  })
  await expect(fetching).rejects.toMatchObject({ code: 'aborted' })
  expect(alice.status).not.toBe('open')
})

test(
  'what is not a request resets the stream and opens no file',
  async () => {
    let opened = 0
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
        const [alice, bob] = await streamPair()
        const serving = serveFile(bob, async () => {
          opened++
          return undefined
        })
        alice.send(bytes)
        await alice.close()
        expect(await serving).toBeInstanceOf(FootbridgeError)
      }),
      { numRuns: STREAMS },
    )
    expect(opened).toBeLessThan(STREAMS)
  },
  FUZZ_MS,
)

test('an id is UTF-8 of a sensible length', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2 * MAX_FILE_ID_BYTES }), (bytes) => {
      try {
        expect(utf8Encode(decodeFileId(bytes))).toEqual(bytes)
        expect(bytes.length).toBeLessThanOrEqual(MAX_FILE_ID_BYTES)
      } catch (error) {
        if (!(error instanceof FootbridgeError)) throw error
        expect(error.code).toBe('protocol_violation')
      }
    }),
    { numRuns: INPUTS },
  )
})
