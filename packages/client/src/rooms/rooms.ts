/**
 * Rooms as far as they need no network: what is joined, what was said, what waits. Everything is kept first; the half that gossips (live.ts) takes over
 * from `attach` and tells here what it hears. Only the tab that leads changes anything; the others are shown what it has.
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import { MAX_FILE_NAME_LENGTH, MAX_TEXT_LENGTH } from '@footbridge/shared/limits'
import type { FileOffer, Readable } from '../api.ts'
import { writable, type Writable } from '../observable.ts'
import type { RoomRecord } from '../store/database.ts'
import type { RoomStore } from '../store/rooms.ts'
import { MAX_OFFERED_FILE_BYTES, MAX_ROOMS, MAX_WAITING_IN_ROOM } from './limits.ts'
import { createMembers } from './members.ts'
import { DEFAULT_TOPICS, roomName, roomTopics } from './room-names.ts'
import type { Room, RoomBody, RoomMessage, Rooms, RoomTopics } from './room.ts'

/** Rooms whose messages stay in memory while nobody looks at them. */
const MAX_IDLE_ROOMS = 4
/** Not hearing for less than this is a change of connection, not an absence. */
const MIN_GAP_MS = 10_000

/** The half that gossips. */
export interface LiveRooms {
  /** Something waits in this room. */
  kick(room: string): void
  fetch(message: RoomMessage): Promise<void>
}

export interface KeptRooms extends Rooms {
  /** Names of joined rooms; changes only when they do. */
  readonly joined: Readable<readonly string[]>
  load(): Promise<void>
  attach(live: LiveRooms | undefined): void
  /** @returns false when it was here already */
  received(message: RoomMessage): Promise<boolean>
  change(room: string, id: string, change: Partial<Pick<RoomMessage, 'body' | 'status'>>): Promise<void>
  message(room: string, id: string): Promise<RoomMessage | undefined>
  waiting(room: string): Promise<readonly RoomMessage[]>
  setState(room: string, state: Room['state']): void
  /** What is said now is heard. */
  heard(room: string): Promise<void>
  /** Hears again, after a time away or for the first time. */
  cameBack(room: string): Promise<void>
  seen(room: string, peer: string): void
  left(room: string, peer: string): void
  /** Another tab wrote. */
  reload(room: string): Promise<void>
  /** Shows what another tab sees; undefined: our own again. */
  mirror(rooms: readonly Room[] | undefined): void
  clearAll(): void
}

export interface RoomsParts {
  readonly store: RoomStore
  readonly now: () => number
  readonly ownPeer: () => string
  readonly importFile: (room: string, file: File) => Promise<FileOffer>
  /** Something was written, for the other tabs. */
  readonly onChange: (room: string) => void
}

interface Facts {
  record: RoomRecord
  state: Room['state']
  readonly members: ReturnType<typeof createMembers>
  lastMessage: RoomMessage | undefined
}

export function createRooms(parts: RoomsParts): KeptRooms {
  const { store, now, onChange } = parts
  const facts = new Map<string, Facts>()
  const open = new Map<string, Writable<readonly RoomMessage[]>>()
  const list = writable<readonly Room[]>([])
  const joined = writable<readonly string[]>([])
  const topics = writable<RoomTopics>(DEFAULT_TOPICS)
  let mirrored: readonly Room[] | undefined
  let live: LiveRooms | undefined
  let isDirty = false

  const publish = (): void => {
    isDirty = false
    list.set(mirrored ?? [...facts.values()].map(toRoom).sort(byActivity))
  }
  // One update for a burst: a busy room tells of many members at once.
  const changed = (): void => {
    if (isDirty) return
    isDirty = true
    queueMicrotask(publish)
  }

  const add = (record: RoomRecord): Facts => {
    const fresh: Facts = { record, state: 'away', members: createMembers(now), lastMessage: undefined }
    facts.set(record.name, fresh)
    return fresh
  }

  const of = (room: string): Facts => {
    const known = facts.get(room)
    if (known === undefined) throw new FootbridgeError('not_found', 'that room is not joined here')
    return known
  }

  const update = async (room: Facts, change: Partial<RoomRecord>): Promise<void> => {
    room.record = { ...room.record, ...change }
    changed()
    await store.put(room.record)
  }

  const load = async (room: string, messages: Writable<readonly RoomMessage[]>): Promise<void> => {
    for (;;) {
      const before = messages.get()
      const kept = await store.messages(room)
      // Something was said while the store was read: what was read may be older.
      if (messages.get() === before) return messages.set(kept)
    }
  }

  const trim = (): void => {
    for (const [room, messages] of open) {
      if (open.size <= MAX_IDLE_ROOMS) return
      if (messages.listeners === 0) open.delete(room)
    }
  }

  /** Puts the message into the open list: in its place when it is there, else at the end. */
  const show = (message: RoomMessage): void => {
    const messages = open.get(message.room)
    if (messages) {
      const at = messages.get().findIndex(({ id }) => id === message.id)
      messages.set(at === -1 ? [...messages.get(), message] : messages.get().with(at, message))
    }
    const room = facts.get(message.room)
    if (room && (room.lastMessage === undefined || room.lastMessage.id === message.id || message.at >= room.lastMessage.at))
      room.lastMessage = message
    changed()
    onChange(message.room)
  }

  const keep = async (room: Facts, message: RoomMessage): Promise<boolean> => {
    if (!(await store.add(message))) return false
    // Left while it was being written.
    if (facts.get(message.room) !== room) return false
    show(message)
    return true
  }

  const send = async (name: string, id: string, body: RoomBody): Promise<void> => {
    const room = of(name)
    const waiting = await rooms.waiting(name)
    if (waiting.length >= MAX_WAITING_IN_ROOM) throw new FootbridgeError('rate_limited', 'too much waits to be sent in this room')
    await keep(room, { id, room: name, from: parts.ownPeer(), own: true, at: now(), body, status: 'waiting' })
    live?.kick(name)
  }

  const rooms: KeptRooms = {
    list,
    joined,
    topics,
    in(room) {
      const known = open.get(room)
      if (known) return known
      trim()
      const messages = writable<readonly RoomMessage[]>([])
      open.set(room, messages)
      load(room, messages).catch(() => undefined)
      return messages
    },
    async join(given) {
      const name = roomName(given, topics.get())
      if (facts.has(name)) return name
      if (facts.size >= MAX_ROOMS) throw new FootbridgeError('rate_limited', `at most ${MAX_ROOMS} rooms at a time`)
      const record: RoomRecord = { name, joinedAt: now(), unread: 0, heardUntil: undefined }
      await store.put(record)
      add(record)
      changed()
      joined.set([...facts.keys()])
      onChange(name)
      return name
    },
    async leave(name) {
      if (!facts.delete(name)) return
      joined.set([...facts.keys()])
      changed()
      await store.remove(name)
      open.get(name)?.set([])
      onChange(name)
    },
    async sendText(room, text) {
      if (text.trim() === '') throw new FootbridgeError('bad_request', 'a message has at least one character')
      if (text.length > MAX_TEXT_LENGTH) throw new FootbridgeError('too_large', `a message has at most ${MAX_TEXT_LENGTH} characters`)
      await send(room, crypto.randomUUID(), { kind: 'text', text })
    },
    async sendFile(room, file) {
      of(room)
      if (file.size === 0) throw new FootbridgeError('bad_request', 'an empty file cannot be offered in a room')
      if (file.size > MAX_OFFERED_FILE_BYTES)
        throw new FootbridgeError('too_large', `a file offered in a room has at most ${MAX_OFFERED_FILE_BYTES} bytes`)
      const id = crypto.randomUUID()
      const offer = await parts.importFile(room, file)
      const named = { ...offer, name: file.name.slice(-MAX_FILE_NAME_LENGTH) || 'file' }
      await send(room, id, { kind: 'file', file: { id, transfer: offer.cid, offer: named } })
    },
    async fetchFile(room, messageId) {
      const message = await store.message(room, messageId)
      if (message?.body.kind !== 'file' || message.own) throw new FootbridgeError('not_found', 'nobody offered such a file in this room')
      if (live === undefined) throw new FootbridgeError('unreachable', 'there is no network to fetch the file from')
      await live.fetch(message)
    },
    async markRead(name) {
      const room = facts.get(name)
      if (room && room.record.unread > 0) await update(room, { unread: 0 })
    },
    async clear(name) {
      const room = facts.get(name)
      await store.clear(name)
      open.get(name)?.set([])
      if (room) {
        room.lastMessage = undefined
        await update(room, { unread: 0 })
      }
      onChange(name)
    },
    async setTopics(given) {
      const next = roomTopics(given)
      await store.setTopics(next)
      topics.set(next)
      onChange('')
    },

    async load() {
      topics.set((await store.topics()) ?? DEFAULT_TOPICS)
      const records = await store.rooms()
      for (const name of facts.keys()) if (!records.some((record) => record.name === name)) facts.delete(name)
      for (const record of records) {
        const room = facts.get(record.name) ?? add(record)
        room.record = record
        room.lastMessage = await store.last(record.name)
      }
      publish()
      const names = [...facts.keys()]
      if (names.join('\n') !== joined.get().join('\n')) joined.set(names)
    },
    attach(next) {
      live = next
      if (next === undefined) for (const room of facts.values()) room.state = 'away'
      changed()
    },
    async received(message) {
      const room = facts.get(message.room)
      if (room === undefined || !(await keep(room, message))) return false
      if (message.from !== '') room.members.seen(message.from)
      if (message.body.kind !== 'gap' && !message.own) await update(room, { unread: room.record.unread + 1 })
      return true
    },
    async change(room, id, change) {
      const message = await store.change(room, id, change)
      if (message) show(message)
    },
    message: (room, id) => store.message(room, id),
    async waiting(room) {
      return (await store.messages(room)).filter(({ own, status }) => own && status === 'waiting')
    },
    setState(name, state) {
      const room = facts.get(name)
      if (room === undefined || room.state === state) return
      room.state = state
      changed()
    },
    async heard(name) {
      const room = facts.get(name)
      if (room) await update(room, { heardUntil: now() })
    },
    async cameBack(name) {
      const room = facts.get(name)
      if (room === undefined) return
      const since = room.record.heardUntil
      const until = now()
      if (since !== undefined && until - since >= MIN_GAP_MS) {
        const last = await store.last(name)
        if (last?.body.kind === 'gap') await rooms.change(name, last.id, { body: { kind: 'gap', until } })
        else await rooms.received(gap(name, Math.max(since, last?.at ?? 0), until))
      }
      await update(room, { heardUntil: until })
    },
    seen(name, peer) {
      if (facts.get(name)?.members.seen(peer) === true) changed()
    },
    left(name, peer) {
      if (facts.get(name)?.members.left(peer) === true) changed()
    },
    async reload(room) {
      const messages = open.get(room)
      if (messages) await load(room, messages)
      topics.set((await store.topics()) ?? DEFAULT_TOPICS)
    },
    mirror(others) {
      mirrored = others
      changed()
    },
    clearAll() {
      facts.clear()
      for (const messages of open.values()) messages.set([])
      joined.set([])
      changed()
    },
  }
  return rooms
}

function gap(room: string, at: number, until: number): RoomMessage {
  return { id: `gap-${until}`, room, from: '', own: false, at, body: { kind: 'gap', until }, status: 'sent' }
}

function toRoom({ record, state, members, lastMessage }: Facts): Room {
  return { name: record.name, joinedAt: record.joinedAt, state, members: members.list(), unread: record.unread, lastMessage }
}

function byActivity(a: Room, b: Room): number {
  return (b.lastMessage?.at ?? b.joinedAt) - (a.lastMessage?.at ?? a.joinedAt) || a.name.localeCompare(b.name)
}
