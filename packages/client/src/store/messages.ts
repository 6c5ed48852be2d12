/**
 * Messages on this device, in order of time for each peer. Incoming ones are stored before they are acknowledged, outgoing ones before they are sent.
 */
import type { Message } from '../api.ts'
import { storing, type Database, type MessageRecord } from './database.ts'

export interface MessageStore {
  /** Oldest first. */
  list(peer: string): Promise<Message[]>
  get(peer: string, id: string): Promise<Message | undefined>
  last(peer: string): Promise<Message | undefined>
  /** @returns false when a message with this peer and id is kept already; it stays as it was. @throws FootbridgeError `storage_full` */
  add(message: Message): Promise<boolean>
  /** @returns the message afterwards, undefined when there is none. A status never goes back from `delivered` or `refused`. */
  setStatus(peer: string, id: string, status: Message['status']): Promise<Message | undefined>
  /** Outgoing messages without an answer, oldest first. */
  pending(peer: string): Promise<Message[]>
  peersWithPending(): Promise<string[]>
  remove(peer: string): Promise<void>
  count(): Promise<number>
}

export function createMessageStore(database: Database): MessageStore {
  const all = (peer: string): IDBKeyRange => IDBKeyRange.bound([peer], [peer, []])
  return {
    async list(peer) {
      return (await database.getAllFromIndex('messages', 'byTime', all(peer))).map(toMessage)
    },
    async get(peer, id) {
      const record = await database.get('messages', [peer, id])
      return record && toMessage(record)
    },
    async last(peer) {
      const cursor = await database.transaction('messages').store.index('byTime').openCursor(all(peer), 'prev')
      return cursor ? toMessage(cursor.value) : undefined
    },
    add: (message) =>
      storing(async () => {
        const transaction = database.transaction('messages', 'readwrite', { durability: 'strict' })
        const known = await transaction.store.getKey([message.peer, message.id])
        if (known === undefined) {
          const order = await transaction.store.count()
          const pending = message.direction === 'out' && message.status !== 'delivered'
          await transaction.store.put({ ...message, order, ...(pending && { pending: 1 as const }) })
        }
        await transaction.done
        return known === undefined
      }),
    setStatus: (peer, id, status) =>
      storing(async () => {
        const transaction = database.transaction('messages', 'readwrite')
        const record = await transaction.store.get([peer, id])
        if (record === undefined) return undefined
        const { pending, ...rest } = record
        const isFinal = record.status === 'delivered' || record.status === 'refused'
        const next: MessageRecord = isFinal
          ? record
          : { ...rest, status, ...(status !== 'delivered' && status !== 'refused' && pending && { pending }) }
        if (!isFinal) await transaction.store.put(next)
        await transaction.done
        return toMessage(next)
      }),
    async pending(peer) {
      const records = await database.getAllFromIndex('messages', 'pending', [peer, 1])
      return records.sort((a, b) => a.at - b.at || a.order - b.order).map(toMessage)
    },
    async peersWithPending() {
      const peers = new Set<string>()
      for (const record of await database.getAllKeysFromIndex('messages', 'pending')) peers.add(record[0])
      return [...peers]
    },
    async remove(peer) {
      await database.delete('messages', IDBKeyRange.bound([peer], [peer, []]))
    },
    count: () => database.count('messages'),
  }
}

function toMessage({ id, peer, direction, at, body, status }: MessageRecord): Message {
  return { id, peer, direction, at, body, status }
}
