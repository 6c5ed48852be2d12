/**
 * Peers that this device has met, so that the list is there again without a network.
 */
import type { Database, PeerRecord } from './database.ts'

export interface PeerStore {
  list(): Promise<PeerRecord[]>
  put(record: PeerRecord): Promise<void>
  remove(id: string): Promise<void>
}

export function createPeerStore(database: Database): PeerStore {
  return {
    list: () => database.getAll('peers'),
    async put(record) {
      await database.put('peers', record)
    },
    remove: (id) => database.delete('peers', id),
  }
}
