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
  /** Bytes stored so far. */
  readonly onProgress: (bytesDone: number) => void
}

/** Memory stays flat: at most one transaction of blocks is held. @throws FootbridgeError `storage_full` */
export async function importFile(file: File, { store, now, onProgress }: ImportParts): Promise<FileOffer> {
  const leaves: Leaf[] = []
  const nodes: string[] = []
  let batch: { cid: string; bytes: Uint8Array }[] = []
  let bytesDone = 0

  const flush = async (): Promise<void> => {
    const full = batch
    batch = []
    await store.putBlocks(full)
    onProgress(bytesDone)
  }

  const blockstore = {
    async put(cid: CID, bytes: Uint8Array): Promise<CID> {
      batch.push({ cid: cid.toString(), bytes })
      if (cid.code === RAW) {
        leaves.push({ cid: cid.toString(), size: bytes.length })
        bytesDone += bytes.length
      } else nodes.push(cid.toString())
      if (batch.length >= BLOCKS_PER_TRANSACTION) await flush()
      return cid
    },
  }

  // One write at a time keeps the leaves in file order and the batch bounded.
  const result = await importByteStream(chunksOf(file), blockstore, {
    profile: 'unixfs-v1-2025',
    blockWriteConcurrency: 1,
    fileImportConcurrency: 1,
  })
  await flush()
  const cid = result.cid.toString()
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

async function* chunksOf(file: File): AsyncGenerator<Uint8Array> {
  const reader = file.stream().getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    reader.releaseLock()
  }
}
