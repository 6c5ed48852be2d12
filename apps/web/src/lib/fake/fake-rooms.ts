/** The fake's rooms: one in which native peers and browsers talk, one that is quiet, and, in the scenario `empty`, none. Development only. */
import type { Transfer } from '@footbridge/client/api'
import { DEFAULT_TOPICS, roomName, roomTopics } from '@footbridge/client/rooms/room-names'
import type { Room, RoomBody, RoomMessage, Rooms } from '@footbridge/client/rooms/room'
import { Cell } from './cell.ts'
import { ALICE, BOB, ME, NATIVE } from './people.ts'

const MINUTE = 60_000
const HARBOUR = 'harbour and tides'
const PHOTO = 'b3f1c7d2-5a0e-4a55-9a41-8f2a1d5c0001'

export function createFakeRooms(scenario: string, transfer: (cid: string) => Cell<Transfer | undefined>): Rooms {
  const now = Date.now()
  const none = ['empty', 'out', 'guests', 'refused', 'unnamed'].includes(scenario)
  const away = ['away', 'portal', 'offline', 'restart', 'other-tab', 'ended'].includes(scenario)
  const said = new Map<string, Cell<readonly RoomMessage[]>>()
  const topics = new Cell(DEFAULT_TOPICS)
  let serial = 0

  const message = (
    room: string,
    from: string,
    minutesAgo: number,
    body: RoomBody,
    status: RoomMessage['status'] = 'sent',
  ): RoomMessage => ({
    id: `r${serial++}`,
    room,
    from,
    own: from === ME,
    at: now - minutesAgo * MINUTE,
    body,
    status,
  })
  const text = (from: string, minutesAgo: number, words: string, status?: RoomMessage['status']): RoomMessage =>
    message(DEFAULT_TOPICS.chat, from, minutesAgo, { kind: 'text', text: words }, status)

  const first = [
    text(NATIVE, 95, 'hello from a terminal'),
    text(ALICE, 94, 'Hello terminal. This is a phone behind a hotel network.'),
    message(DEFAULT_TOPICS.chat, '', 90, { kind: 'gap', until: now - 24 * MINUTE }),
    text(BOB, 22, 'Who has the tide table for tomorrow?'),
    text(NATIVE, 21, 'I do, one moment'),
    message(DEFAULT_TOPICS.chat, NATIVE, 20, {
      kind: 'file',
      file: { id: PHOTO, transfer: `room-file ${NATIVE} ${PHOTO}`, offer: undefined },
    }),
    message(DEFAULT_TOPICS.chat, ALICE, 12, {
      kind: 'file',
      file: {
        id: 'a0',
        transfer: 'bafy-photo',
        offer: { cid: 'bafy-photo', name: 'handrail.png', size: 184_000, media: 'image/png' },
      },
    }),
    text(ALICE, 12, 'And this is the handrail, see https://example.org/harbour'),
    text(ME, 3, 'Thank you both, that helps.'),
    text(ME, 0.2, 'Is anybody at the pier now?', away ? 'waiting' : 'sent'),
  ]
  const of = (room: string): Cell<readonly RoomMessage[]> => {
    const known = said.get(room)
    if (known) return known
    const fresh = new Cell<readonly RoomMessage[]>([])
    said.set(room, fresh)
    return fresh
  }
  of(DEFAULT_TOPICS.chat).set(none ? [] : first)

  const room = (name: string, change: Partial<Room> = {}): Room => ({
    name,
    joinedAt: now - 300 * MINUTE,
    state: away ? 'away' : 'here',
    members: [],
    unread: 0,
    lastMessage: of(name).get().at(-1),
    ...change,
  })
  const members = [ALICE, NATIVE, BOB].map((peer, index) => ({ peer, seenAt: now - (index * 8 + 1) * MINUTE }))
  const list = new Cell<readonly Room[]>(
    none ? [] : [room(DEFAULT_TOPICS.chat, { members, unread: 2 }), room(HARBOUR, { state: away ? 'away' : 'alone' })],
  )
  const change = (name: string, update: Partial<Room>): void =>
    list.update((rooms) => rooms.map((each) => (each.name === name ? { ...each, ...update } : each)))

  const say = (name: string, body: RoomBody): void => {
    const own = { ...message(name, ME, 0, body, away ? 'waiting' : 'sent'), at: Date.now() }
    of(name).update((all) => [...all, own])
    change(name, { lastMessage: own })
  }

  return {
    list,
    topics,
    in: (name) => of(name),
    async join(given) {
      const name = roomName(given, topics.get())
      if (!list.get().some((each) => each.name === name)) list.update((rooms) => [room(name), ...rooms])
      return name
    },
    async leave(name) {
      list.update((rooms) => rooms.filter((each) => each.name !== name))
    },
    sendText: async (name, words) => say(name, { kind: 'text', text: words }),
    async sendFile(name, file) {
      const cid = `bafy-${file.name}`
      transfer(cid).set({
        cid,
        state: 'complete',
        bytesDone: file.size,
        bytesTotal: file.size,
        bytesPerSecond: 0,
        sources: [],
        refusedSources: [],
        error: undefined,
      })
      say(name, { kind: 'file', file: { id: cid, transfer: cid, offer: { cid, name: file.name, size: file.size, media: file.type } } })
    },
    async fetchFile(name, messageId) {
      const found = of(name)
        .get()
        .find(({ id }) => id === messageId)
      if (found?.body.kind !== 'file') return
      const cid = found.body.file.transfer
      transfer(cid).set({
        cid,
        state: 'fetching',
        bytesDone: 1_400_000,
        bytesTotal: 3_200_000,
        bytesPerSecond: 820_000,
        sources: [found.from],
        refusedSources: [],
        error: undefined,
      })
    },
    markRead: async (name) => change(name, { unread: 0 }),
    async clear(name) {
      of(name).set([])
      change(name, { lastMessage: undefined, unread: 0 })
    },
    setTopics: async (next) => topics.set(roomTopics(next)),
  }
}
