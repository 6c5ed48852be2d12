/**
 * A file of this device becomes a blob: cut, hashed, stored block by block. Loaded only when a file is sent.
 * The profile `unixfs-v1-2025` gives the CID that any other implementation of it (Kubo among them) gives for the same bytes.
 */
import { importByteStream } from 'ipfs-unixfs-importer'
import type { CID } from 'multiformats/cid'
import { BLOCKS_PER_TRANSACTION, type BlobStore } from '../store/blobs.ts'
import type { BlobRecord, Leaf } from '../store/database.ts'
import type { FileOffer } from '../api.ts'

/** multicodec of a raw leaf. */
const RAW = 0x55

export interface ImportParts {
  readonly store: BlobStore
  readonly now: () => number
  /** Bytes hashed so far; at most one transaction of them is not stored yet. */
  readonly onProgress: (bytesDone: number) => void
  readonly signal?: AbortSignal
}

/**
 * Memory stays flat: at most one transaction of blocks is held. An import that fails or is called off leaves no block.
 * @throws FootbridgeError `storage_full`, or the signal's reason
 */
export async function importFile(file: File, { store, now, onProgress, signal }: ImportParts): Promise<FileOffer> {
  const leaves: Leaf[] = []
  const nodes: string[] = []
  let batch: { cid: string; bytes: Uint8Array }[] = []
  let bytesDone = 0

  const flush = async (): Promise<void> => {
    const full = batch
    batch = []
    await store.putBlocks(full)
  }

  const blockstore = {
    async put(cid: CID, bytes: Uint8Array): Promise<CID> {
      batch.push({ cid: cid.toString(), bytes })
      if (cid.code === RAW) {
        leaves.push({ cid: cid.toString(), size: bytes.length })
        bytesDone += bytes.length
        onProgress(bytesDone)
      } else nodes.push(cid.toString())
      if (batch.length >= BLOCKS_PER_TRANSACTION) await flush()
      return cid
    },
  }

  const cut = async (): Promise<string> => {
    // One write at a time keeps the leaves in file order and the batch bounded.
    const result = await importByteStream(chunksOf(file, signal), blockstore, {
      profile: 'unixfs-v1-2025',
      blockWriteConcurrency: 1,
      fileImportConcurrency: 1,
    })
    signal?.throwIfAborted()
    await flush()
    return result.cid.toString()
  }
  const cid = await cut().catch(async (error: unknown) => {
    await store.dropBlocks([...leaves.map((leaf) => leaf.cid), ...nodes]).catch(() => undefined)
    throw error
  })
  const offer: FileOffer = { cid, name: file.name, size: file.size, media: file.type }
  const record: BlobRecord = {
    ...offer,
    state: 'complete',
    leaves,
    nodes: nodes.filter((node) => node !== cid),
    sources: [],
    refusedSources: [],
    addedAt: now(),
  }
  await store.put(record)
  return offer
}

async function* chunksOf(file: File, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  const reader = file.stream().getReader()
  try {
    for (;;) {
      signal?.throwIfAborted()
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    reader.releaseLock()
  }
}
