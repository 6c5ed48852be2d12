import { expect, test } from 'vitest'
import type { ProgramEvent } from './api.ts'
import { createEventHub, type EventHub } from './events.ts'
import { MAX_QUEUED_BYTES, MAX_QUEUED_EVENTS, MAX_READERS } from './limits.ts'

const subscribed = (topic: string): ProgramEvent => ({ type: 'subscribed', peer: 'bob', topic })
const message = (id: string, size: number): ProgramEvent => ({
  type: 'message',
  id,
  message: { topic: 'harbour', from: 'bob', sequenceNumber: 1n, data: new Uint8Array(size) },
})

function setUp(standing: readonly ProgramEvent[] = []): { hub: EventHub; dropped: ProgramEvent[]; errors: unknown[] } {
  const dropped: ProgramEvent[] = []
  const errors: unknown[] = []
  const hub = createEventHub({
    standing: () => standing,
    onDropped: (event) => void dropped.push(event),
    onError: (error) => void errors.push(error),
  })
  return { hub, dropped, errors }
}

test('a reader gets what stands already, then each event in its order, whether it waits or not', async () => {
  const { hub } = setUp([subscribed('before')])
  const reader = hub[Symbol.asyncIterator]()
  expect(await reader.next()).toEqual({ done: false, value: subscribed('before') })
  const waiting = reader.next()
  hub.tell(subscribed('one'))
  hub.tell(subscribed('two'))
  expect(await waiting).toEqual({ done: false, value: subscribed('one') })
  expect(await reader.next()).toEqual({ done: false, value: subscribed('two') })
})

test('a reader that is too slow loses the oldest, is told how many, and holds up nobody', async () => {
  const { hub, dropped } = setUp()
  const slow = hub[Symbol.asyncIterator]()
  const heard: ProgramEvent[] = []
  hub.subscribe((event) => void heard.push(event))
  for (let count = 0; count < MAX_QUEUED_EVENTS + 3; count++) hub.tell(subscribed(String(count)))
  expect(heard).toHaveLength(MAX_QUEUED_EVENTS + 3)
  expect(dropped).toEqual([subscribed('0'), subscribed('1'), subscribed('2')])
  expect(await slow.next()).toEqual({ done: false, value: { type: 'lagged', missed: 3 } })
  expect(await slow.next()).toEqual({ done: false, value: subscribed('3') })
})

test('large messages push older ones out by their bytes, and the newest stays', async () => {
  const { hub } = setUp()
  const reader = hub[Symbol.asyncIterator]()
  for (const id of ['one', 'two', 'three']) hub.tell(message(id, MAX_QUEUED_BYTES / 2))
  expect(await reader.next()).toEqual({ done: false, value: { type: 'lagged', missed: 1 } })
  expect(await reader.next()).toMatchObject({ value: { id: 'two' } })
  hub.tell(message('huge', MAX_QUEUED_BYTES + 1))
  expect(await reader.next()).toEqual({ done: false, value: { type: 'lagged', missed: 1 } })
  expect(await reader.next()).toMatchObject({ value: { id: 'huge' } })
})

test('a reader that ends, or whose client closes, reads what waits and no more', async () => {
  const { hub, dropped } = setUp()
  const left = hub[Symbol.asyncIterator]()
  const stays = hub[Symbol.asyncIterator]()
  hub.tell(subscribed('one'))
  await left.return?.()
  expect(await left.next()).toEqual({ done: true, value: undefined })
  expect(dropped).toEqual([subscribed('one')])
  expect(hub.tell(subscribed('two'))).toBe(1)
  hub.close()
  const topics: string[] = []
  for await (const event of { [Symbol.asyncIterator]: () => stays }) if (event.type === 'subscribed') topics.push(event.topic)
  expect(topics).toEqual(['one', 'two'])
  expect(hub.tell(subscribed('three'))).toBe(0)
  expect(await hub[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined })
})

test('a listener that throws is reported, and the others hear all the same', () => {
  const { hub, errors } = setUp()
  const heard: ProgramEvent[] = []
  hub.subscribe(() => {
    throw new Error('a fault of the program')
  })
  const end = hub.subscribe((event) => void heard.push(event))
  hub.tell(subscribed('one'))
  end()
  hub.tell(subscribed('two'))
  expect(heard).toEqual([subscribed('one')])
  expect(errors).toHaveLength(2)
})

test('readers that are never ended are refused at some point', () => {
  const { hub } = setUp()
  for (let count = 0; count < MAX_READERS; count++) hub.subscribe(() => undefined)
  expect(() => hub.subscribe(() => undefined)).toThrow(expect.objectContaining({ code: 'rate_limited' }))
})
