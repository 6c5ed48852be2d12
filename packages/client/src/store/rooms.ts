/**
 * Rooms on this device: which are joined, and what was said in them, the newest MAX_ROOM_HISTORY of each.
 */
import type { RoomMessage, RoomTopics } from '../rooms/room.ts'
import { storing, type Database, type RoomMessageRecord, type RoomRecord } from './database.ts'

/** Messages of one room that are kept: some hours of a busy one. */
export const MAX_ROOM_HISTORY = 1_000
/** Above the limit by so many, then cut: a cut for each message would read an index each time. */
const CUT_EVERY = 50

export interface RoomStore {
  rooms(): Promise<RoomRecord[]>
  put(room: RoomRecord): Promise<void>
  /** With everything that was said in it. */
  remove(room: string): Promise<void>
  topics(): Promise<RoomTopics | undefined>
  setTopics(topics: RoomTopics): Promise<void>
  /** Oldest first. */
  messages(room: string): Promise<RoomMessage[]>
  message(room: string, id: string): Promise<RoomMessage | undefined>
  last(room: string): Promise<RoomMessage | undefined>
  /** @returns false when one with this id is kept already; it stays as it was. @throws FootbridgeError `storage_full` */
  add(message: RoomMessage): Promise<boolean>
  /** @returns the message afterwards; undefined when there is none. */
  change(room: string, id: string, change: Partial<Pick<RoomMessage, 'body' | 'status'>>): Promise<RoomMessage | undefined>
  clear(room: string): Promise<void>
}

export function createRoomStore(database: Database): RoomStore {
  const all = (room: string): IDBKeyRange => IDBKeyRange.bound([room], [room, []])
  const sinceCut = new Map<string, number>()

  const cut = async (room: string): Promise<void> => {
    const transaction = database.transaction('roomMessages', 'readwrite')
    let surplus = (await transaction.store.index('byTime').count(all(room))) - MAX_ROOM_HISTORY
    let cursor = surplus > 0 ? await transaction.store.index('byTime').openCursor(all(room)) : null
    for (; cursor && surplus > 0; surplus--) {
      await cursor.delete()
      cursor = await cursor.continue()
    }
    await transaction.done
  }

  return {
    rooms: () => database.getAll('rooms'),
    async put(room) {
      await storing(() => database.put('rooms', room))
    },
    async remove(room) {
      const transaction = database.transaction(['rooms', 'roomMessages'], 'readwrite')
      await transaction.objectStore('rooms').delete(room)
      await transaction.objectStore('roomMessages').delete(all(room))
      await transaction.done
      sinceCut.delete(room)
    },
    topics: async () => (await database.get('self', 'roomTopics')) as RoomTopics | undefined,
    async setTopics(topics) {
      await database.put('self', topics, 'roomTopics')
    },
    messages: async (room) => (await database.getAllFromIndex('roomMessages', 'byTime', all(room))).map(toMessage),
    async message(room, id) {
      const record = await database.get('roomMessages', [room, id])
      return record && toMessage(record)
    },
    async last(room) {
      const cursor = await database.transaction('roomMessages').store.index('byTime').openCursor(all(room), 'prev')
      return cursor ? toMessage(cursor.value) : undefined
    },
    async add(message) {
      const isNew = await storing(async () => {
        const transaction = database.transaction('roomMessages', 'readwrite')
        const known = await transaction.store.getKey([message.room, message.id])
        if (known === undefined) {
          const newest = await transaction.store.index('byTime').openCursor(all(message.room), 'prev')
          await transaction.store.put({ ...message, order: (newest?.value.order ?? 0) + 1 })
        }
        await transaction.done
        return known === undefined
      })
      const since = (sinceCut.get(message.room) ?? CUT_EVERY) + 1
      sinceCut.set(message.room, since > CUT_EVERY ? 0 : since)
      if (since > CUT_EVERY) await cut(message.room)
      return isNew
    },
    change: (room, id, change) =>
      storing(async () => {
        const transaction = database.transaction('roomMessages', 'readwrite')
        const record = await transaction.store.get([room, id])
        if (record === undefined) return undefined
        const next = { ...record, ...change }
        await transaction.store.put(next)
        await transaction.done
        return toMessage(next)
      }),
    async clear(room) {
      await database.delete('roomMessages', all(room))
      sinceCut.delete(room)
    },
  }
}

function toMessage({ order: _order, ...message }: RoomMessageRecord): RoomMessage {
  return message
}
