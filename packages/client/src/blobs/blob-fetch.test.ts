import 'fake-indexeddb/auto'
import { FootbridgeError } from '@footbridge/shared/errors'
import { verifyBlock } from '@footbridge/protocols/blob/verify'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { expect, test } from 'vitest'
import { writable } from '../observable.ts'
import { createBlobStore, type BlobStore } from '../store/blobs.ts'
import { openDatabase, type BlobRecord } from '../store/database.ts'
import { fetchBlob } from './blob-fetch.ts'
import { createBlockPool, type BlockPool, type BlockPoolParts } from './block-pool.ts'
import { importFile } from './import.ts'
import { createTransfers } from './transfers.ts'

let databases = 0
const openStore = async (): Promise<BlobStore> => createBlobStore(await openDatabase(`blobs ${databases++}`, () => undefined))

const bytesOf = (length: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 13) * 7) % 251)
const MEBIBYTE = 1024 * 1024

async function offered(length: number): Promise<{ source: BlobStore; record: BlobRecord; bytes: Uint8Array }> {
  const source = await openStore()
  const bytes = bytesOf(length)
  const offer = await importFile(new File([bytes], 'ship.bin'), { store: source, now: () => 0, onProgress: () => undefined })
  const record = await source.get(offer.cid)
  if (record === undefined) throw new Error('not imported')
  return { source, bytes, record: { ...record, state: 'fetching', leaves: [], nodes: [], sources: ['bob'] } }
}

type Fault = 'good' | 'absent' | 'wrong' | 'breaks' | 'refuses' | 'silent'

/** A requester as the protocol's is, over a store instead of a stream. */
function sourceOf(store: BlobStore, fault: () => Fault): BlockPoolParts['open'] {
  return async () => {
    if (fault() === 'refuses') throw new FootbridgeError('peer_unreachable', 'no stream')
    let open = true
    let outstanding = 0
    return {
      get open() {
        return open
      },
      get free() {
        return open ? 4 - outstanding : 0
      },
      close: () => (open = false),
      async request(cid: CID) {
        outstanding++
        try {
          const now = fault()
          if (now === 'breaks' || !open) throw new FootbridgeError('peer_unreachable', 'the stream broke')
          if (now === 'silent') await new Promise(() => undefined)
          const block = await store.block(cid.toString())
          if (block === undefined || now === 'absent') return undefined
          const bytes = new Uint8Array(await block.arrayBuffer())
          if (now === 'wrong') bytes[0] = (bytes[0] ?? 0) ^ 1
          await verifyBlock(cid, bytes)
          return bytes
        } catch (error) {
          open = false
          throw error
        } finally {
          outstanding--
        }
      },
    }
  }
}

/** expect().toEqual takes a second for each megabyte. */
function isSame(got: ArrayBuffer, expected: Uint8Array): boolean {
  const bytes = new Uint8Array(got)
  return bytes.length === expected.length && bytes.every((byte, index) => byte === expected[index])
}

interface Run {
  readonly pool: BlockPool
  readonly refused: string[]
  readonly done: Promise<void>
  /** Resolves when so many bytes are stored. */
  readonly progressed: (bytes: number) => Promise<void>
  readonly stop: () => void
}

function run(store: BlobStore, record: BlobRecord, peers: Record<string, BlockPoolParts['open']>, given = record.sources): Run {
  const refused: string[] = []
  const stop = new AbortController()
  const pool = createBlockPool({
    given: () => given,
    others: () => Object.keys(peers),
    open: (peer, signal) => peers[peer]?.(peer, signal) ?? Promise.reject(new FootbridgeError('peer_unreachable', 'nobody')),
    onRefused: (peer) => refused.push(peer),
    onSources: () => undefined,
    now: Date.now,
    restMs: 1,
    refused: [],
  })
  const bytesDone = writable(0)
  const done = fetchBlob(record, { store, pool, signal: stop.signal, onProgress: (bytes) => bytesDone.set(bytes) })
  return {
    pool,
    refused,
    done,
    progressed: (bytes) => new Promise((resolve) => void bytesDone.subscribe((now) => now >= bytes && resolve())),
    stop: () => {
      stop.abort()
      pool.stop(new FootbridgeError('aborted', 'stopped'))
    },
  }
}

test('a file of several blocks arrives, complete and openable', async () => {
  const { source, record, bytes } = await offered(3 * MEBIBYTE + 17)
  const store = await openStore()
  await store.put(record)
  await run(store, record, { bob: sourceOf(source, () => 'good') }).done
  const blob = await createTransfers(store).open(record)
  expect(isSame(await blob.arrayBuffer(), bytes)).toBe(true)
})

test.each([
  [0, 'an empty file'],
  [5, 'a file that is one raw block'],
  [MEBIBYTE, 'a file that fills its block exactly'],
])('a file of %i bytes arrives (%s)', async (length) => {
  const { source, record, bytes } = await offered(length)
  const store = await openStore()
  await store.put(record)
  await run(store, record, { bob: sourceOf(source, () => 'good') }).done
  expect(isSame(await (await createTransfers(store).open(record)).arrayBuffer(), bytes)).toBe(true)
})

test('a block that does not match is refused and asked of somebody else', async () => {
  const { source, record } = await offered(2 * MEBIBYTE)
  const store = await openStore()
  await store.put(record)
  const fetch = run(store, record, { bob: sourceOf(source, () => 'wrong'), charlie: sourceOf(source, () => 'good') })
  await fetch.done
  expect(fetch.refused).toEqual(['bob'])
  expect((await store.get(record.cid))?.state).toBe('complete')
})

test('only what is stored counts as done', async () => {
  const { source, record } = await offered(3 * MEBIBYTE)
  const store = await openStore()
  await store.put(record)
  const disk = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  let isStored = false
  const slow: BlobStore = {
    ...store,
    async putBlocks(blocks) {
      // The root is written at once: the leaves stand in it.
      if (blocks.some(({ bytes }) => bytes.length === MEBIBYTE)) {
        asked.resolve()
        await disk.promise
        isStored = true
      }
      return store.putBlocks(blocks)
    },
  }
  const fetch = run(slow, record, { bob: sourceOf(source, () => 'good') })
  const early = fetch.progressed(1).then(() => isStored)
  await asked.promise
  disk.resolve()
  expect(await early).toBe(true)
  await fetch.done
})

test('after a stop it goes on with the blocks that are not here yet', async () => {
  const { source, record } = await offered(6 * MEBIBYTE)
  const store = await openStore()
  await store.put(record)
  let given = 0
  const first = run(store, record, { bob: sourceOf(source, () => (given++ < 4 ? 'good' : 'silent')) })
  await first.progressed(2 * MEBIBYTE)
  first.stop()
  await expect(first.done).rejects.toMatchObject({ code: 'aborted' })
  const kept = await store.get(record.cid)
  if (kept === undefined) throw new Error('the record is gone')
  const missing = 6 - (await store.present(kept.leaves.map((leaf) => leaf.cid))).size
  expect(missing).toBeLessThan(6)
  let asked = 0
  await run(store, kept, { bob: sourceOf(source, () => (asked++, 'good')) }).done
  const here = await store.present(kept.leaves.map((leaf) => leaf.cid))
  expect(here.size).toBe(6)
  expect(asked, 'one for each missing block and one to open the stream').toBe(missing + 1)
})

test('a size that the tree does not have is refused', async () => {
  const { source, record } = await offered(2 * MEBIBYTE)
  const lie = { ...record, size: record.size + 1 }
  const store = await openStore()
  await store.put(lie)
  await expect(run(store, lie, { bob: sourceOf(source, () => 'good') }).done).rejects.toMatchObject({ code: 'protocol_violation' })
})

test('a block that is not as long as the tree says is refused, although its hash is right', async () => {
  const { source, record } = await offered(2 * MEBIBYTE + 5)
  const whole = await source.get(record.cid)
  const leaves = (whole?.leaves ?? []).map((leaf, index) => ({ ...leaf, size: leaf.size + (index === 2 ? 1 : 0) }))
  const store = await openStore()
  await store.put({ ...record, leaves })
  const fetch = run(store, { ...record, leaves }, { bob: sourceOf(source, () => 'good') })
  await expect(fetch.done).rejects.toMatchObject({ code: 'protocol_violation' })
  fetch.stop()
  expect((await store.get(record.cid))?.state).toBe('fetching')
})

test('with one good source and any others, it completes, and no wrong block is stored', async () => {
  const { source, record } = await offered(3 * MEBIBYTE)
  const fault = fc.constantFrom<Fault>('good', 'absent', 'wrong', 'breaks', 'refuses')
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(fault, { minLength: 1, maxLength: 8 }), { maxLength: 4 }), fc.nat(4), async (bad, position) => {
      const store = await openStore()
      await store.put(record)
      const peers: Record<string, BlockPoolParts['open']> = {}
      for (const [index, faults] of bad.entries()) {
        if (index === position) peers['good'] = sourceOf(source, () => 'good')
        let turn = 0
        peers[`bad ${index}`] = sourceOf(source, () => faults[turn++ % faults.length] ?? 'good')
      }
      peers['good'] ??= sourceOf(source, () => 'good')
      await run(store, record, peers, Object.keys(peers).slice(0, 2)).done
      const complete = await store.get(record.cid)
      expect(complete?.state).toBe('complete')
      for (const leaf of complete?.leaves ?? []) {
        const block = await store.block(leaf.cid)
        await verifyBlock(CID.parse(leaf.cid), new Uint8Array((await block?.arrayBuffer()) ?? new ArrayBuffer()))
      }
    }),
    { numRuns: 8 },
  )
}, 30_000)

test('blocks that two blobs share stay when one of them is removed', async () => {
  const store = await openStore()
  const parts = { store, now: () => 0, onProgress: () => undefined }
  const bytes = bytesOf(2 * MEBIBYTE)
  const one = await importFile(new File([bytes], 'one'), parts)
  const two = await importFile(new File([bytes, new Uint8Array(10)], 'two'), parts)
  await store.remove(two.cid)
  expect(await store.get(two.cid)).toBeUndefined()
  expect((await createTransfers(store).open(one)).size).toBe(bytes.length)
})
