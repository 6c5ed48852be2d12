/**
 * The state of every transfer that somebody looks at, and the blob operations that need no network. The fetcher and the importer report here.
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import type { FileOffer, KeptFile, Readable, Transfer } from '../api.ts'
import { writable, type Writable } from '../observable.ts'
import type { BlobStore } from '../store/blobs.ts'
import type { BlobRecord } from '../store/database.ts'

export interface Transfers {
  of(cid: string): Readable<Transfer | undefined>
  /** Merges into what is shown; a missing transfer starts from `initialTransfer`. */
  report(cid: string, change: Partial<Transfer>): void
  /** Reads the record again: after a fetch ended, was paused, or another tab wrote. */
  reload(cid: string): Promise<void>
  open(offer: FileOffer): Promise<Blob>
  remove(cid: string): Promise<void>
  list(): Promise<readonly KeptFile[]>
  clear(): void
  /** Tells of each change that `report` makes; ends by what it returns. */
  onReport(listener: (transfer: Transfer) => void): () => void
  /** What is known without asking the store. */
  all(): readonly Transfer[]
}

/** Transfers shown at a time; above it those nobody listens to are forgotten and read from the store again when asked for. */
const MAX_SHOWN = 200

export function createTransfers(store: BlobStore): Transfers {
  const shown = new Map<string, Writable<Transfer | undefined>>()
  const listeners = new Set<(transfer: Transfer) => void>()

  const of = (cid: string): Writable<Transfer | undefined> => {
    const known = shown.get(cid)
    if (known) return known
    for (const [other, transfer] of shown) if (shown.size >= MAX_SHOWN && transfer.listeners === 0) shown.delete(other)
    const fresh = writable<Transfer | undefined>(undefined)
    shown.set(cid, fresh)
    reload(cid).catch(() => undefined)
    return fresh
  }

  const reload = async (cid: string): Promise<void> => {
    const record = await store.get(cid)
    const transfer = record && (await fromRecord(record, store))
    const live = shown.get(cid)
    // A report that came while the store was read is newer than the record.
    if (live && !(live.get()?.state === 'fetching' && transfer?.state === 'waiting')) live.set(transfer ?? keepImporting(live.get()))
  }

  return {
    of,
    report(cid, change) {
      const transfer = of(cid)
      const next = { ...(transfer.get() ?? initialTransfer(cid, 0)), ...change }
      transfer.set(next)
      for (const listener of listeners) listener(next)
    },
    reload,
    async open(offer) {
      const record = await store.get(offer.cid)
      if (record?.state !== 'complete') throw new FootbridgeError('block_not_found', 'the file is not complete on this device')
      const parts: Blob[] = []
      for (const leaf of record.leaves) {
        const block = await store.block(leaf.cid)
        if (block === undefined || block.size !== leaf.size)
          throw new FootbridgeError('block_not_found', 'the browser has removed a part of this file')
        parts.push(block)
      }
      return new Blob(parts, { type: offer.media })
    },
    async remove(cid) {
      await store.remove(cid)
      shown.get(cid)?.set(undefined)
    },
    async list() {
      const files = await Promise.all((await store.list()).map((record) => toKeptFile(record, store)))
      return files.sort((a, b) => b.bytesHere - a.bytesHere || b.addedAt - a.addedAt)
    },
    onReport(listener) {
      const entry = (transfer: Transfer): void => listener(transfer)
      listeners.add(entry)
      return () => listeners.delete(entry)
    },
    all: () => [...shown.values()].flatMap((transfer) => transfer.get() ?? []),
    clear() {
      for (const transfer of shown.values()) transfer.set(undefined)
    },
  }
}

export function initialTransfer(cid: string, bytesTotal: number): Transfer {
  return {
    cid,
    state: 'waiting',
    bytesDone: 0,
    bytesTotal,
    bytesPerSecond: 0,
    sources: [],
    refusedSources: [],
    error: undefined,
  }
}

function keepImporting(transfer: Transfer | undefined): Transfer | undefined {
  return transfer?.state === 'importing' ? transfer : undefined
}

async function toKeptFile(record: BlobRecord, store: BlobStore): Promise<KeptFile> {
  const { cid, name, size, media, addedAt } = record
  return { cid, name, size, media, addedAt, bytesHere: record.state === 'complete' ? size : await bytesPresent(record, store) }
}

async function bytesPresent(record: BlobRecord, store: BlobStore): Promise<number> {
  const present = await store.present(record.leaves.map((leaf) => leaf.cid))
  return record.leaves.reduce((sum, leaf) => sum + (present.has(leaf.cid) ? leaf.size : 0), 0)
}

async function fromRecord(record: BlobRecord, store: BlobStore): Promise<Transfer> {
  const base = { ...initialTransfer(record.cid, record.size), refusedSources: record.refusedSources }
  if (record.state === 'complete') return { ...base, state: 'complete', bytesDone: record.size }
  return { ...base, state: record.state === 'paused' ? 'paused' : 'waiting', bytesDone: await bytesPresent(record, store) }
}
