/**
 * Opens what is kept on this device, and makes the views over it: all that is there without a network.
 * Not here: the network (lifecycle.ts) and the other tabs (tabs.ts), which are reached through the hooks.
 */
import type { ConnectionState, FileOffer, Findable, Profile } from '../api.ts'
import { createTransfers, initialTransfer } from '../blobs/transfers.ts'
import { loadChunk } from '../chunk.ts'
import { createConversations } from '../conversations.ts'
import { createImports } from '../imports.ts'
import type { Kept } from '../kept.ts'
import { createLog } from '../log.ts'
import { createNotices } from '../notices.ts'
import { writable, type Writable } from '../observable.ts'
import { createPeople } from '../people.ts'
import { isPhone } from '../platform.ts'
import { createRooms } from '../rooms/rooms.ts'
import { createBlobStore } from '../store/blobs.ts'
import { openDatabase, type IdentityRecord } from '../store/database.ts'
import { createMessageStore } from '../store/messages.ts'
import { createPeerStore } from '../store/peers.ts'
import { createRoomStore } from '../store/rooms.ts'
import { createSelfStore } from '../store/self.ts'
import { createUpgradeStore } from '../store/upgrades.ts'
import { createWinnerStore } from '../store/winners.ts'
import type { TabChange } from '../tabs/messages.ts'

export interface KeepHooks {
  /** Tells the other tabs. */
  readonly changed: (change: TabChange) => void
  /** Something was written to this peer. */
  readonly outgoing: (peer: string) => void
  /** This device has a file more or less to serve. */
  readonly blobsChanged: () => Promise<void>
  /** The browser took the database away. */
  readonly onLost: () => void
}

export interface Clocks {
  readonly now: () => number
  /** Milliseconds that never go back. */
  readonly steady: () => number
}

export interface Keep extends Kept {
  /** Of this device, as it was last read. */
  readonly identity: Writable<IdentityRecord | undefined>
  /** A file becomes a blob of this device, shown at its owner while it does. */
  readonly importFile: (owner: string, file: File) => Promise<FileOffer>
  /** Reads what the views show at once. */
  load(): Promise<void>
  /** Deletes everything. */
  clear(): Promise<void>
  stopImports(): void
  close(): void
}

/** @throws when the browser gives no IndexedDB (some private windows). */
export async function openKeep(databaseName: string, { now, steady }: Clocks, hooks: KeepHooks): Promise<Keep> {
  const database = await openDatabase(databaseName, hooks.onLost)
  const self = createSelfStore(database)
  const messages = createMessageStore(database)
  const blobs = createBlobStore(database)
  const people = createPeople(createPeerStore(database), messages, now)
  const transfers = createTransfers(blobs)
  const identity = writable<IdentityRecord | undefined>(undefined)
  const profile = writable<Profile>(await self.profile())
  const findable = writable<Findable>({ choice: await self.visibility(), places: [], isSupported: undefined })

  const imports = createImports(async (file, work): Promise<FileOffer> => {
    const { importFile } = await loadChunk(() => import('../blobs/import.ts'))
    const offer = await importFile(file, { store: blobs, now, ...work })
    transfers.report(offer.cid, { ...initialTransfer(offer.cid, offer.size), state: 'complete', bytesDone: offer.size })
    hooks.changed({ kind: 'blobs' })
    await hooks.blobsChanged()
    return offer
  })
  const importFile = (owner: string, file: File): Promise<FileOffer> => imports.run(owner, file, async (offer) => offer)

  const rooms = createRooms({
    store: createRoomStore(database),
    now,
    ownPeer: () => identity.get()?.peer ?? '',
    importFile,
    onChange: (room) => hooks.changed({ kind: 'room', room }),
  })
  const conversations = createConversations({
    messages,
    people,
    now,
    imports,
    onOutgoing: hooks.outgoing,
    onChange: (peer) => hooks.changed({ kind: 'peer', peer }),
  })

  return {
    self,
    messages,
    blobs,
    upgrades: createUpgradeStore(database),
    winners: createWinnerStore(database),
    people,
    conversations,
    transfers,
    rooms,
    identity,
    profile,
    findable,
    connection: writable<ConnectionState>({ state: 'out' }),
    notices: createNotices(now),
    log: createLog(now),
    now,
    steady,
    device: isPhone() ? 'phone' : 'browser',
    changed: hooks.changed,
    importFile,
    async load() {
      const [record] = await Promise.all([self.identity(), people.load(), rooms.load()])
      identity.set(record)
    },
    async clear() {
      for (const store of database.objectStoreNames) await database.clear(store)
      identity.set(undefined)
      people.clear()
      conversations.clear()
      transfers.clear()
      rooms.clearAll()
      profile.set({ name: '', picture: undefined })
      findable.set({ choice: await self.visibility(), places: [], isSupported: undefined })
    },
    stopImports: () => imports.stop(),
    close: () => database.close(),
  }
}
