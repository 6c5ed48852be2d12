import 'fake-indexeddb/auto'
import type { FootbridgeError } from '@footbridge/shared/errors'
import { afterEach, expect, test } from 'vitest'
import { createBlobStore } from './blobs.ts'
import { openDatabase } from './database.ts'

// Called with the store it belongs to.
// oxlint-disable-next-line typescript/unbound-method
const stock = IDBObjectStore.prototype.put
afterEach(() => {
  IDBObjectStore.prototype.put = stock
})

/** A browser that answers some writes with an error, as WebKit's private windows do for Blobs. */
function failWrites(error: (value: unknown) => DOMException | undefined): void {
  IDBObjectStore.prototype.put = function (value: unknown, key?: IDBValidKey) {
    const failure = error(value)
    if (failure !== undefined) {
      this.transaction.abort()
      throw failure
    }
    return stock.call(this, value, key)
  }
}

const bytes = new Uint8Array([1, 2, 3])
let names = 0
async function openStore() {
  const database = await openDatabase(`blobs-${++names}`, () => undefined)
  return { database, store: createBlobStore(database) }
}

test('a browser that keeps no Blobs keeps the bytes, and reading shows no difference', async () => {
  let blobs = 0
  failWrites((value) => (value instanceof Blob && ++blobs > 0 ? new DOMException('no Blobs here', 'UnknownError') : undefined))
  const { database, store } = await openStore()
  await store.putBlocks([{ cid: 'one', bytes }])
  await store.putBlocks([{ cid: 'two', bytes }])
  expect(blobs, 'asked once, not for each block').toBe(1)
  expect(await database.get('blocks', 'one')).toEqual(bytes)
  for (const cid of ['one', 'two']) expect(new Uint8Array((await (await store.block(cid))?.arrayBuffer()) ?? [])).toEqual(bytes)
})

test('a full disk is no reason to write again in another form', async () => {
  let writes = 0
  failWrites(() => {
    writes++
    return new DOMException('full', 'QuotaExceededError')
  })
  const { store } = await openStore()
  await expect(store.putBlocks([{ cid: 'one', bytes }])).rejects.toThrow(
    expect.objectContaining({ code: 'storage_full' }) as FootbridgeError,
  )
  expect(writes).toBe(1)
})

test('a write that fails in both forms fails with its own reason, and Blobs are tried again', async () => {
  const written: boolean[] = []
  failWrites((value) => {
    written.push(value instanceof Blob)
    return new DOMException('broken', 'UnknownError')
  })
  const { store } = await openStore()
  for (let round = 0; round < 2; round++) await expect(store.putBlocks([{ cid: 'one', bytes }])).rejects.toThrow('broken')
  expect(written).toEqual([true, false, true, false])
})
