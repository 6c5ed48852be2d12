import { Key } from 'interface-datastore'
import { expect, test } from 'vitest'
import { KadStore } from './kad-store.ts'

const value = (length = 1): Uint8Array => new Uint8Array(length)

test('what anybody may put is kept up to a number, the latest of it', async () => {
  const store = new KadStore({ maxEntries: 3, maxValueBytes: 10 })
  for (const name of ['a', 'b', 'c']) await store.put(new Key(name), value())
  await store.put(new Key('a'), value())
  await store.put(new Key('d'), value())
  expect(['a', 'b', 'c', 'd'].map((name) => store.has(new Key(name)))).toEqual([true, false, true, true])
  await store.delete(new Key('c'))
  for (let index = 0; index < 1_000; index++) await store.put(new Key(`/dht/${index}`), value())
  expect(store.size).toBe(3)
  expect(await Array.fromAsync(store.query({}))).toHaveLength(3)
})

test('what is too long is refused and takes no place', async () => {
  const store = new KadStore({ maxEntries: 3, maxValueBytes: 10 })
  expect(() => store.put(new Key('long'), value(11))).toThrow('too long')
  expect(store.size).toBe(0)
})

test('the providers of one key are found without those of others, and a whole kind can still be gone through', async () => {
  const store = new KadStore({ maxEntries: 10, maxValueBytes: 10 })
  for (const name of ['/dht/provider/cid/alice', '/dht/provider/cid/bob', '/dht/provider/cid2/charlie', '/dht/record/x'])
    await store.put(new Key(name), value())
  const namesBelow = async (prefix: string): Promise<string[]> =>
    (await Array.fromAsync(store.query({ prefix }))).map(({ key }) => key.name())
  expect(await namesBelow('/dht/provider/cid')).toEqual(['alice', 'bob'])
  expect(await namesBelow('/dht/provider/other')).toEqual([])
  expect(await namesBelow('/dht/provider')).toEqual(['alice', 'bob', 'charlie'])
  await store.delete(new Key('/dht/provider/cid/alice'))
  expect(await namesBelow('/dht/provider/cid')).toEqual(['bob'])
})
