import type { Room } from '@footbridge/client/rooms/room'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LeftRooms } from './left-rooms.svelte.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

interface Page {
  readonly left: LeftRooms
  readonly joined: Set<string>
}

/** A page over the same storage and the same joined rooms as the one before. */
function open(before?: Page & { readonly kept: Map<string, string> }): Page & { readonly kept: Map<string, string> } {
  const kept = before?.kept ?? new Map<string, string>()
  const joined = before?.joined ?? new Set(['harbour', 'pier'])
  const left = new LeftRooms(
    {
      list: {
        get: () => [...joined].map((name): Room => ({ name, joinedAt: 0, state: 'here', members: [], unread: 0, lastMessage: undefined })),
        subscribe: () => () => undefined,
      },
      join: async (given) => {
        joined.add(given.trim())
        return given.trim()
      },
      leave: async (name) => void joined.delete(name),
    },
    { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value) },
    () => undefined,
  )
  return { left, joined, kept }
}

test('a room that was left is gone from the device only once nobody can have it back', () => {
  const { left, joined } = open()
  left.leave('harbour')
  expect([left.pending, joined.has('harbour')]).toEqual(['harbour', true])
  vi.runAllTimers()
  expect([left.pending, joined.has('harbour')]).toEqual([undefined, false])
})

test('taken back, it stays for good', () => {
  const { left, joined } = open()
  left.leave('harbour')
  expect(left.undo()).toBe('harbour')
  vi.runAllTimers()
  expect([joined.has('harbour'), left.names]).toEqual([true, []])
})

test('joined again while it can be had back, it stays for good', async () => {
  const { left, joined } = open()
  left.leave('harbour')
  expect(await left.join(' harbour ')).toBe('harbour')
  vi.runAllTimers()
  expect([left.pending, joined.has('harbour'), left.names]).toEqual([undefined, true, []])
})

test('a second room that is left ends the way back to the first', () => {
  const { left, joined } = open()
  left.leave('harbour')
  left.leave('pier')
  expect([left.pending, [...joined]]).toEqual(['pier', ['pier']])
})

test('a page that was closed meanwhile has left the room all the same', () => {
  const before = open()
  before.left.leave('harbour')
  vi.clearAllTimers()
  vi.setSystemTime(Date.now() + 60_000)
  const after = open(before)
  vi.runAllTimers()
  expect([[...after.joined], after.left.names, after.left.pending]).toEqual([['pier'], ['harbour'], undefined])
})

test('a page that is opened meanwhile can have the room back, and the other one then leaves it alone', () => {
  const one = open()
  one.left.leave('harbour')
  const other = open(one)
  expect([other.left.pending, other.left.undo()]).toEqual(['harbour', 'harbour'])
  vi.runAllTimers()
  expect([[...one.joined], one.left.pending]).toEqual([['harbour', 'pier'], undefined])
})

test('a room that was left here and joined again on another page is not left by a later page', async () => {
  const one = open()
  one.left.leave('harbour')
  vi.runAllTimers()
  await open(one).left.join('harbour')
  one.left.leave('pier')
  vi.runAllTimers()
  const later = open(one)
  vi.runAllTimers()
  expect([[...later.joined], later.left.names]).toEqual([['harbour'], ['pier']])
})

test('a room that is left on another page ends the way back to the one that was left here', () => {
  const one = open()
  one.left.leave('harbour')
  open({ ...one, kept: one.kept }).left.leave('pier')
  vi.runAllTimers()
  expect([...one.joined]).toEqual([])
})

test('names of rooms that were left are offered newest first, a few of them, and none after forgetting', async () => {
  const { left } = open()
  for (const name of ['one', 'two', 'three', 'four', 'five', 'six']) left.leave(name)
  expect(left.names).toEqual(['six', 'five', 'four', 'three', 'two'])
  await left.join('five')
  expect(left.names).toEqual(['six', 'four', 'three', 'two'])
  left.forget()
  expect(left.names).toEqual([])
})

test('what else stands in the storage is no list of names', () => {
  for (const value of ['{', '{"a":1}', '{"names":[1]}', '[1,2]', 'null']) {
    const page = open()
    page.kept.set('footbridge.left-rooms', value)
    expect(open(page).left.names).toEqual([])
  }
})
