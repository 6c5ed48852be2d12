import 'fake-indexeddb/auto'
import { expect, test, vi } from 'vitest'
import { writable } from '../observable.ts'
import { openDatabase } from '../store/database.ts'
import { createRoomStore, MAX_ROOM_HISTORY } from '../store/rooms.ts'
import { fileKind } from './file-kind.ts'
import { createFound } from './found.ts'
import { createLazyRooms } from './lazy-rooms.ts'
import { FOUND_TTL_MS, MAX_FOUND, MAX_MEMBERS, MAX_OFFERED_FILE_BYTES, MAX_ROOMS, MAX_WAITING_IN_ROOM, MEMBER_TTL_MS } from './limits.ts'
import type { RunningRooms } from './live.ts'
import { createMembers } from './members.ts'
import { createPace } from './pace.ts'
import { DEFAULT_TOPICS, filesTopic, roomName, roomTopics } from './room-names.ts'
import type { RoomMessage } from './room.ts'
import { createRooms, type KeptRooms } from './rooms.ts'

let databases = 0

async function open(name = `rooms ${databases++}`): Promise<{ rooms: KeptRooms; reopen: () => Promise<KeptRooms>; changed: string[] }> {
  const database = await openDatabase(name, () => undefined)
  const changed: string[] = []
  const make = (): KeptRooms =>
    createRooms({
      store: createRoomStore(database),
      now: () => 1_000,
      ownPeer: () => 'me',
      importFile: async (_room, file) => ({ cid: 'bafy', name: file.name, size: file.size, media: file.type }),
      onChange: (room) => changed.push(room),
    })
  const reopen = async (): Promise<KeptRooms> => {
    const rooms = make()
    await rooms.load()
    return rooms
  }
  return { rooms: await reopen(), reopen, changed }
}

const heard = (id: string, at: number, room = 'harbour'): RoomMessage => ({
  id,
  room,
  from: 'bob',
  own: false,
  at,
  body: { kind: 'text', text: id },
  status: 'sent',
})

test('a joined room is there after a reload, with what was said and what is unread', async () => {
  const { rooms, reopen } = await open()
  expect(await rooms.join('  harbour ')).toBe('harbour')
  await rooms.received(heard('a', 1))
  await rooms.received(heard('b', 2))
  await rooms.sendText('harbour', 'mine')
  const again = await reopen()
  expect(again.joined.get()).toEqual(['harbour'])
  expect(again.list.get()).toMatchObject([{ name: 'harbour', unread: 2, state: 'away', lastMessage: { body: { text: 'mine' } } }])
  const messages = again.in('harbour')
  await vi.waitFor(() =>
    expect(
      messages
        .get()
        .map(({ id }) => id)
        .slice(0, 2),
    ).toEqual(['a', 'b']),
  )
  expect(messages.get().at(-1)).toMatchObject({ own: true, from: 'me', status: 'waiting' })
})

test('a message that comes twice is kept once and counted once', async () => {
  const { rooms } = await open()
  await rooms.join('harbour')
  expect(await rooms.received(heard('a', 1))).toBe(true)
  expect(await rooms.received(heard('a', 1))).toBe(false)
  expect(await rooms.received(heard('a', 1, 'elsewhere'))).toBe(false)
  await Promise.resolve()
  expect(rooms.list.get()).toMatchObject([{ unread: 1 }])
})

test('the history of a room has an end, and the oldest goes first', async () => {
  const { rooms, reopen } = await open()
  await rooms.join('harbour')
  for (let index = 0; index < MAX_ROOM_HISTORY + 120; index++) await rooms.received(heard(`m${index}`, index))
  const messages = (await reopen()).in('harbour')
  await vi.waitFor(() => expect(messages.get().length).toBeGreaterThan(0))
  expect(messages.get().length).toBeLessThanOrEqual(MAX_ROOM_HISTORY + 51)
  expect(messages.get().at(-1)?.id).toBe(`m${MAX_ROOM_HISTORY + 119}`)
})

test('clearing keeps the room, leaving takes both', async () => {
  const { rooms, reopen, changed } = await open()
  await rooms.join('harbour')
  await rooms.received(heard('a', 1))
  await rooms.clear('harbour')
  expect((await reopen()).list.get()).toMatchObject([{ name: 'harbour', unread: 0, lastMessage: undefined }])
  await rooms.leave('harbour')
  expect((await reopen()).list.get()).toEqual([])
  expect(changed.filter((room) => room === 'harbour').length).toBeGreaterThanOrEqual(4)
})

test('rooms, what waits and what is offered are bounded', async () => {
  const { rooms } = await open()
  for (let index = 0; index < MAX_ROOMS; index++) await rooms.join(`room ${index}`)
  await expect(rooms.join('one more')).rejects.toMatchObject({ code: 'rate_limited' })
  expect(await rooms.join('room 0')).toBe('room 0')
  for (let index = 0; index < MAX_WAITING_IN_ROOM; index++) await rooms.sendText('room 0', `${index}`)
  await expect(rooms.sendText('room 0', 'one more')).rejects.toMatchObject({ code: 'rate_limited' })
  await expect(rooms.sendFile('room 1', new File([new Uint8Array(MAX_OFFERED_FILE_BYTES + 1)], 'x'))).rejects.toMatchObject({
    code: 'too_large',
  })
  await expect(rooms.sendFile('room 1', new File([], 'x'))).rejects.toMatchObject({ code: 'bad_request' })
  await expect(rooms.sendText('room 1', '  ')).rejects.toMatchObject({ code: 'bad_request' })
  await expect(rooms.sendText('nowhere', 'hello')).rejects.toMatchObject({ code: 'not_found' })
  await expect(rooms.fetchFile('room 0', 'nothing')).rejects.toMatchObject({ code: 'not_found' })
})

test('another tab is shown what the one that leads sees', async () => {
  const { rooms } = await open()
  const shown = { name: 'harbour', joinedAt: 1, state: 'here', members: [], unread: 3, lastMessage: undefined } as const
  rooms.mirror([shown])
  await vi.waitFor(() => expect(rooms.list.get()).toEqual([shown]))
  rooms.mirror(undefined)
  await vi.waitFor(() => expect(rooms.list.get()).toEqual([]))
})

test('topics of the first room are settings that are kept', async () => {
  const { rooms, reopen } = await open()
  expect(rooms.topics.get()).toEqual(DEFAULT_TOPICS)
  const own = { chat: 'town', files: 'town-files', discovery: 'town-peers' }
  await rooms.setTopics(own)
  expect((await reopen()).topics.get()).toEqual(own)
  await expect(rooms.setTopics({ ...own, files: 'town' })).rejects.toMatchObject({ code: 'bad_request' })
})

test.each([
  ['', 'nothing'],
  ['   ', 'spaces'],
  ['a\nb', 'two lines'],
  ['ä'.repeat(65), 'more than 128 bytes'],
  ['harbour-file', 'the files of another room'],
  [DEFAULT_TOPICS.discovery, 'the search for peers'],
])('%j is no room: %s', (name) => {
  expect(() => roomName(name, DEFAULT_TOPICS)).toThrow(expect.objectContaining({ code: 'bad_request' }))
})

test('files of the first room go under its setting, those of others beside their name', () => {
  expect(filesTopic(DEFAULT_TOPICS.chat, DEFAULT_TOPICS)).toBe('universal-connectivity-file')
  expect(filesTopic('harbour', DEFAULT_TOPICS)).toBe('harbour-file')
  expect(roomName('town-file', roomTopics({ chat: 'town-file', files: 'f', discovery: 'd' }))).toBe('town-file')
})

test('members are bounded, seen last first, and forgotten', () => {
  let now = 0
  const members = createMembers(() => now)
  for (let index = 0; index < MAX_MEMBERS + 10; index++) members.seen(`p${index}`)
  expect(members.list()).toHaveLength(MAX_MEMBERS)
  now = 10_000
  expect(members.seen('p20')).toBe(true)
  expect(members.seen('p20')).toBe(false)
  expect(members.list()[0]).toEqual({ peer: 'p20', seenAt: 10_000 })
  expect(members.left('p20')).toBe(true)
  now += MEMBER_TTL_MS + 1
  expect(members.list()).toEqual([])
})

test('a pace lets a burst go, then so many a second, for each key by itself', () => {
  let now = 0
  const pace = createPace(2, 3, 2, () => now)
  expect([1, 2, 3, 4].map(() => pace.take('a'))).toEqual([0, 0, 0, 500])
  now = 500
  expect(pace.take('a')).toBe(0)
  expect(pace.take('b')).toBe(0)
  // A third key: the longest unused is forgotten and begins anew.
  pace.take('c')
  expect(pace.take('a')).toBe(0)
})

test('addresses of found peers are bounded and believed for a while', () => {
  let now = 0
  const found = createFound(() => now)
  for (let index = 0; index < MAX_FOUND + 1; index++) found.put(`p${index}`, ['/a', `/b/p2p/p${index}`], true)
  expect(found.addresses('p0')).toEqual([])
  expect(found.addresses('p1')).toEqual(['/a/p2p/p1', '/b/p2p/p1'])
  now = FOUND_TTL_MS + 1
  expect(found.addresses('p1')).toEqual([])
})

test('what others say of a peer is not believed over its own word', () => {
  let now = 0
  const found = createFound(() => now)
  found.put('p', ['/others'], false)
  found.put('p', ['/own'], true)
  found.put('p', ['/others'], false)
  expect(found.addresses('p')).toEqual(['/own/p2p/p'])
  now = FOUND_TTL_MS + 1
  found.put('p', ['/others'], false)
  expect(found.addresses('p')).toEqual(['/others/p2p/p'])
})

test('the first bytes say what the app can show', () => {
  expect(fileKind(Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d)).media).toBe('image/png')
  expect(fileKind(Uint8Array.from([0x52, 0x49, 0x46, 0x46, 1, 2, 3, 4, 0x57, 0x45, 0x42, 0x50])).extension).toBe('.webp')
  expect(fileKind(new Uint8Array()).media).toBe('application/octet-stream')
})

test('what gossips is loaded with the first room and ended with the last', async () => {
  const joined = writable<readonly string[]>([])
  const told: string[] = []
  const lazy = createLazyRooms(joined, async (): Promise<RunningRooms> => {
    told.push('open')
    return { addresses: () => ['/here'], stop: async () => void told.push('stop') }
  })
  await Promise.resolve()
  expect([told, lazy.addresses('p')]).toEqual([[], []])
  joined.set(['harbour'])
  await vi.waitFor(() => expect(lazy.addresses('p')).toEqual(['/here']))
  joined.set(['harbour', 'tides'])
  joined.set([])
  await vi.waitFor(() => expect(told).toEqual(['open', 'stop']))
  joined.set(['harbour'])
  await vi.waitFor(() => expect(told).toEqual(['open', 'stop', 'open']))
  await lazy.stop()
  await lazy.stop()
  expect(told).toEqual(['open', 'stop', 'open', 'stop'])
})

test('a chunk that did not load is asked for again', async () => {
  vi.useFakeTimers()
  const joined = writable<readonly string[]>(['harbour'])
  let tries = 0
  const lazy = createLazyRooms(joined, async (): Promise<RunningRooms> => {
    if (++tries === 1) throw new Error('offline')
    return { addresses: () => [], stop: async () => undefined }
  })
  await vi.advanceTimersByTimeAsync(1)
  expect(tries).toBe(1)
  await vi.advanceTimersByTimeAsync(11_000)
  expect(tries).toBe(2)
  await lazy.stop()
  vi.useRealTimers()
})
