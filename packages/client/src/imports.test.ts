import 'fake-indexeddb/auto'
import { FootbridgeError } from '@footbridge/shared/errors'
import { expect, test } from 'vitest'
import type { FileOffer, Import } from './api.ts'
import { importFile } from './blobs/import.ts'
import { createImports, MAX_IMPORTS, type ImportWork } from './imports.ts'
import { createBlobStore } from './store/blobs.ts'
import { openDatabase } from './store/database.ts'

const MEBIBYTE = 1024 * 1024
const ship = new File([new Uint8Array(10)], 'ship.bin')
const offer: FileOffer = { cid: 'cid', name: 'ship.bin', size: 10, media: '' }
const kept = async (): Promise<string> => 'kept'

/** An importer that ends when it is told to. */
function slow(): {
  started: { file: File; work: ImportWork; end: PromiseWithResolvers<FileOffer> }[]
  importer: Parameters<typeof createImports>[0]
} {
  const started: ReturnType<typeof slow>['started'] = []
  return {
    started,
    importer: (file, work) => {
      const end = Promise.withResolvers<FileOffer>()
      work.signal.addEventListener('abort', () => end.reject(work.signal.reason))
      started.push({ file, work, end })
      return end.promise
    },
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('a file is shown with its progress until its message is kept', async () => {
  const { started, importer } = slow()
  const imports = createImports(importer)
  const seen: (readonly Import[])[] = []
  imports.of('bob').subscribe((list) => seen.push(list))
  const using = Promise.withResolvers<void>()
  const done = imports.run('bob', ship, () => using.promise)
  await settled()
  started[0]?.work.onProgress(4)
  started[0]?.end.resolve(offer)
  await settled()
  expect(imports.of('bob').get(), 'no gap before the message').toHaveLength(1)
  using.resolve()
  await done
  expect(seen.map((list) => list.map(({ name, size, bytesDone }) => [name, size, bytesDone]))).toEqual([
    [],
    [['ship.bin', 10, 0]],
    [['ship.bin', 10, 4]],
    [],
  ])
})

test('other people hear nothing of it', async () => {
  const { started, importer } = slow()
  const imports = createImports(importer)
  let told = 0
  imports.of('charlie').subscribe(() => told++)
  const done = imports.run('bob', ship, kept)
  await settled()
  started[0]?.work.onProgress(4)
  started[0]?.end.resolve(offer)
  await done
  expect(told).toBe(1)
})

test('files are imported one after another, a failed one holding nobody up', async () => {
  const { started, importer } = slow()
  const imports = createImports(importer)
  const first = imports.run('bob', ship, kept)
  const second = imports.run('bob', new File(['x'], 'second'), kept)
  await settled()
  expect([started.length, imports.of('bob').get().length]).toEqual([1, 2])
  started[0]?.end.reject(new FootbridgeError('storage_full', 'no room'))
  await expect(first).rejects.toMatchObject({ code: 'storage_full' })
  await settled()
  expect(started[1]?.file.name).toBe('second')
  started[1]?.end.resolve(offer)
  expect(await second).toBe('kept')
  expect(imports.of('bob').get()).toEqual([])
})

test('a file is called off, waiting or under way', async () => {
  const { started, importer } = slow()
  const imports = createImports(importer)
  const first = imports.run('bob', ship, kept)
  const second = imports.run('bob', ship, kept)
  const [one, two] = imports.of('bob').get()
  imports.cancel(two?.id ?? '')
  await expect(second, 'without waiting for its turn').rejects.toMatchObject({ code: 'aborted' })
  await settled()
  imports.cancel(one?.id ?? '')
  await expect(first).rejects.toMatchObject({ code: 'aborted' })
  expect([started.length, imports.of('bob').get()]).toEqual([1, []])
})

test('more files than a person drops are refused', async () => {
  const imports = createImports(slow().importer)
  const many = Array.from({ length: MAX_IMPORTS }, () => imports.run('bob', ship, kept))
  await expect(imports.run('bob', ship, kept)).rejects.toMatchObject({ code: 'rate_limited' })
  imports.stop()
  const ends = await Promise.allSettled(many)
  expect(ends.every(({ status }) => status === 'rejected')).toBe(true)
})

test('an import that is called off leaves no block but those of other files', async () => {
  const database = await openDatabase('imports', () => undefined)
  const store = createBlobStore(database)
  const bytes = Uint8Array.from({ length: 20 * MEBIBYTE }, (_, index) => (index >> 20) + 1)
  const parts = { store, now: () => 0 }
  await importFile(new File([bytes.subarray(0, MEBIBYTE)], 'one'), { ...parts, onProgress: () => undefined })
  const stop = new AbortController()
  const progress: number[] = []
  const onProgress = (bytesDone: number): void => {
    progress.push(bytesDone)
    if (bytesDone === 18 * MEBIBYTE) stop.abort(new FootbridgeError('aborted', 'called off'))
  }
  await expect(importFile(new File([bytes], 'twenty'), { ...parts, onProgress, signal: stop.signal })).rejects.toMatchObject({
    code: 'aborted',
  })
  expect(progress.slice(0, 2)).toEqual([MEBIBYTE, 2 * MEBIBYTE])
  expect(await database.count('blocks')).toBe(1)
})

test('a sweep deletes what an interrupted import left and keeps every file', async () => {
  const database = await openDatabase('sweep', () => undefined)
  const store = createBlobStore(database)
  const bytes = Uint8Array.from({ length: 3 * MEBIBYTE }, (_, index) => (index >> 20) + 1)
  const offered = await importFile(new File([bytes], 'three'), { store, now: () => 0, onProgress: () => undefined })
  const kept = await database.count('blocks')
  await store.putBlocks([{ cid: 'left-behind', bytes: Uint8Array.of(1) }])
  expect(await store.sweep()).toBe(1)
  expect(await database.count('blocks')).toBe(kept)
  expect(await store.block(offered.cid)).toBeDefined()
})
