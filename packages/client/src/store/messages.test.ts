import 'fake-indexeddb/auto'
import { expect, test } from 'vitest'
import type { Message } from '../api.ts'
import { openDatabase } from './database.ts'
import { createMessageStore, type MessageStore } from './messages.ts'

let databases = 0
const open = async (): Promise<MessageStore> => createMessageStore(await openDatabase(`messages ${databases++}`, () => undefined))
const message = (id: string, at: number, change: Partial<Message> = {}): Message => ({
  id,
  peer: 'bob',
  direction: 'out',
  at,
  body: { kind: 'text', text: id },
  status: 'waiting',
  ...change,
})

test('messages come back by time, and those of one moment in the order of their storing', async () => {
  const store = await open()
  for (const [id, at] of [
    ['c', 3],
    ['a', 1],
    ['b1', 2],
    ['b2', 2],
  ] as const)
    await store.add(message(id, at))
  await store.add(message('x', 2, { peer: 'bobby' }))
  expect((await store.list('bob')).map(({ id }) => id)).toEqual(['a', 'b1', 'b2', 'c'])
  expect((await store.last('bob'))?.id).toBe('c')
})

test('a message that comes twice is kept once, as it first was', async () => {
  const store = await open()
  expect(await store.add(message('a', 1, { direction: 'in', status: 'delivered' }))).toBe(true)
  expect(await store.add(message('a', 2, { direction: 'in', status: 'delivered' }))).toBe(false)
  expect(await store.list('bob')).toMatchObject([{ id: 'a', at: 1 }])
})

test('what has no answer is pending, and an answer is never taken back', async () => {
  const store = await open()
  for (const id of ['a', 'b', 'c']) await store.add(message(id, 1))
  await store.add(message('in', 1, { direction: 'in', status: 'delivered' }))
  await store.setStatus('bob', 'a', 'delivered')
  await store.setStatus('bob', 'b', 'sent')
  await store.setStatus('bob', 'c', 'refused')
  expect(await store.pending('bob')).toMatchObject([{ id: 'b', status: 'sent' }])
  expect(await store.peersWithPending()).toEqual(['bob'])
  expect(await store.setStatus('bob', 'a', 'waiting')).toMatchObject({ status: 'delivered' })
  expect((await store.pending('bob')).length).toBe(1)
})

test('removing a conversation leaves the others', async () => {
  const store = await open()
  await store.add(message('a', 1))
  await store.add(message('a', 1, { peer: 'charlie' }))
  await store.remove('bob')
  expect([await store.list('bob'), (await store.list('charlie')).length, await store.count()]).toEqual([[], 1, 1])
})
