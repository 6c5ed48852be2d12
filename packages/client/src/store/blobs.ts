/**
 * Blobs and their blocks on this device. A blob's record says which blocks it is made of; a block may belong to several blobs.
 * Not here: fetching (blobs/fetcher.ts) and importing (blobs/import.ts), which write through this.
 */
import type { IDBPTransaction } from 'idb'
import { isFull, storing, type BlobRecord, type Database, type Schema } from './database.ts'

/** Blocks written in one transaction: sixteen are two to three times as fast as one (libraries.md section 3), and at 1 MiB bound what is in memory. */
export const BLOCKS_PER_TRANSACTION = 16

export interface BlobStore {
  get(cid: string): Promise<BlobRecord | undefined>
  list(): Promise<BlobRecord[]>
  /** @throws FootbridgeError `storage_full` */
  put(record: BlobRecord): Promise<void>
  /** Reads, changes and writes in one transaction; undefined when there is no such blob. */
  update(cid: string, change: (record: BlobRecord) => BlobRecord): Promise<BlobRecord | undefined>
  /** With its blocks, but for those that another blob has too. */
  remove(cid: string): Promise<void>
  /** Deletes those of these blocks that no blob has. */
  dropBlocks(cids: readonly string[]): Promise<void>
  /** Deletes every block that no blob has: what an import left behind whose page was closed. Only while nothing is imported or fetched. @returns how many */
  sweep(): Promise<number>
  block(cid: string): Promise<Blob | undefined>
  /** At most BLOCKS_PER_TRANSACTION. Durable when it resolves. @throws FootbridgeError `storage_full` */
  putBlocks(blocks: readonly { readonly cid: string; readonly bytes: Uint8Array }[]): Promise<void>
  /** Those of `cids` that are here. */
  present(cids: readonly string[]): Promise<Set<string>>
}

export function createBlobStore(database: Database): BlobStore {
  /** Some browsers keep no Blobs for a visit that leaves no trace: WebKit's private windows fail the whole transaction. */
  let keepsBlobs = true

  const write = async (blocks: readonly { readonly cid: string; readonly bytes: Uint8Array }[]): Promise<void> => {
    const transaction = database.transaction('blocks', 'readwrite')
    // It fails with a write, whose reason is the better one.
    transaction.done.catch(() => undefined)
    await Promise.all([
      ...blocks.map(({ cid, bytes }) => transaction.store.put(keepsBlobs ? new Blob([bytes as Uint8Array<ArrayBuffer>]) : bytes, cid)),
      transaction.done,
    ])
  }

  return {
    get: (cid) => database.get('blobs', cid),
    list: () => database.getAll('blobs'),
    put: (record) =>
      storing(async () => {
        await database.put('blobs', record)
      }),
    update: (cid, change) =>
      storing(async () => {
        const transaction = database.transaction('blobs', 'readwrite')
        const record = await transaction.store.get(cid)
        const next = record && change(record)
        if (next !== undefined) await transaction.store.put(next)
        await transaction.done
        return next
      }),
    async remove(cid) {
      const transaction = database.transaction(['blobs', 'blocks'], 'readwrite')
      const blobs = transaction.objectStore('blobs')
      const record = await blobs.get(cid)
      if (record !== undefined) {
        await blobs.delete(cid)
        await dropUnshared(transaction, blocksOf(record))
      }
      await transaction.done
    },
    async dropBlocks(cids) {
      const transaction = database.transaction(['blobs', 'blocks'], 'readwrite')
      await dropUnshared(transaction, cids)
      await transaction.done
    },
    async sweep() {
      const transaction = database.transaction(['blobs', 'blocks'], 'readwrite')
      const before = await transaction.objectStore('blocks').getAllKeys()
      const dropped = await dropUnshared(transaction, before)
      await transaction.done
      return dropped
    },
    async block(cid) {
      const kept = await database.get('blocks', cid)
      return kept === undefined || kept instanceof Blob ? kept : new Blob([kept as Uint8Array<ArrayBuffer>])
    },
    putBlocks: (blocks) =>
      storing(async () => {
        try {
          await write(blocks)
        } catch (error) {
          if (!keepsBlobs || isFull(error)) throw error
          keepsBlobs = false
          // Another reason fails this too, and then Blobs are tried again.
          await write(blocks).catch((again: unknown) => {
            keepsBlobs = true
            throw again
          })
        }
      }),
    async present(cids) {
      const transaction = database.transaction('blocks')
      const keys = await Promise.all(cids.map((cid) => transaction.store.getKey(cid)))
      return new Set(keys.filter((key) => key !== undefined))
    },
  }
}

async function dropUnshared(
  transaction: IDBPTransaction<Schema, ('blobs' | 'blocks')[], 'readwrite'>,
  cids: readonly string[],
): Promise<number> {
  const shared = new Set((await transaction.objectStore('blobs').getAll()).flatMap(blocksOf))
  const blocks = transaction.objectStore('blocks')
  const unshared = [...new Set(cids)].filter((cid) => !shared.has(cid))
  for (const cid of unshared) await blocks.delete(cid)
  return unshared.length
}

/** Every block of the blob, its root among them. */
export function blocksOf(record: BlobRecord): string[] {
  return [record.cid, ...record.leaves.map((leaf) => leaf.cid), ...record.nodes]
}
