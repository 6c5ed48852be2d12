/**
 * One blob on its way to this device: reads its DAG, asks the pool for the leaves that are not here yet, writes them in batches.
 * What is stored is all that is remembered: after a reload the same function goes on from the blocks that are there.
 */
import { CID } from 'multiformats/cid'
import { FootbridgeError } from '@footbridge/shared/errors'
import { loadChunk } from '../chunk.ts'
import { BLOCKS_PER_TRANSACTION, type BlobStore } from '../store/blobs.ts'
import type { BlobRecord, Leaf } from '../store/database.ts'
import type { BlockPool } from './block-pool.ts'

/** Blocks asked for or waiting to be written: two transactions' worth of memory. */
export const MAX_BLOCKS_IN_MEMORY = 2 * BLOCKS_PER_TRANSACTION
export interface BlobFetchParts {
  readonly store: BlobStore
  readonly pool: BlockPool
  readonly signal: AbortSignal
  /** Bytes of the file that are verified and stored. */
  readonly onProgress: (bytesDone: number) => void
}

/** Resolves when the blob is complete and stored. @throws FootbridgeError `protocol_violation`, `storage_full`, `aborted` */
export async function fetchBlob(record: BlobRecord, { store, pool, signal, onProgress }: BlobFetchParts): Promise<void> {
  const leaves = record.leaves.length > 0 ? record.leaves : await discover(record, store, pool)
  const present = await store.present(leaves.map((leaf) => leaf.cid))
  let bytesDone = leaves.reduce((sum, leaf) => sum + (present.has(leaf.cid) ? leaf.size : 0), 0)
  onProgress(bytesDone)

  // Group commit: what arrives while one transaction runs goes into the next. Only what is stored counts as done, so a reload takes nothing back.
  let batch: { cid: string; bytes: Uint8Array }[] = []
  let writing: Promise<void> | undefined
  let failure: { readonly error: unknown } | undefined
  const writeAll = async (): Promise<void> => {
    while (batch.length > 0) {
      const full = batch
      batch = []
      await store.putBlocks(full)
      bytesDone += full.reduce((sum, block) => sum + block.bytes.length, 0)
      onProgress(bytesDone)
    }
  }
  const write = (): Promise<void> =>
    (writing ??= writeAll()
      .catch((error: unknown) => void (failure ??= { error }))
      .finally(() => (writing = undefined)))
  const written = async (): Promise<void> => {
    await write()
    if (failure) throw failure.error
  }

  const missing = uniqueLeaves(leaves).filter((leaf) => !present.has(leaf.cid))
  const one = async (leaf: Leaf): Promise<void> => {
    const bytes = await pool.get(CID.parse(leaf.cid))
    if (bytes.length !== leaf.size) throw new FootbridgeError('protocol_violation', "a block is not as long as the file's tree says")
    if (failure) throw failure.error
    batch.push({ cid: leaf.cid, bytes })
    // Waiting keeps a worker from asking for more than can be written.
    if (batch.length >= BLOCKS_PER_TRANSACTION) await written()
    else void write()
  }

  const queue = missing.values()
  const worker = async (): Promise<void> => {
    for (const leaf of queue) {
      signal.throwIfAborted()
      await one(leaf)
    }
  }
  try {
    await Promise.all(Array.from({ length: Math.min(MAX_BLOCKS_IN_MEMORY / 2, missing.length) }, worker))
  } finally {
    // What was verified is kept also when the fetch is paused or fails.
    await written()
  }
  await store.update(record.cid, (current) => ({ ...current, state: 'complete', leaves }))
}

async function discover(record: BlobRecord, store: BlobStore, pool: BlockPool): Promise<readonly Leaf[]> {
  const { readDag } = await loadChunk(() => import('./dag.ts'))
  const block = async (cid: CID): Promise<Uint8Array> => {
    const kept = await store.block(cid.toString())
    if (kept) return new Uint8Array(await kept.arrayBuffer())
    const bytes = await pool.get(cid)
    await store.putBlocks([{ cid: cid.toString(), bytes }])
    return bytes
  }
  const { leaves, nodes } = await readDag(CID.parse(record.cid), record.size, block)
  await store.update(record.cid, (current) => ({ ...current, leaves, nodes }))
  return leaves
}

/** A file may hold the same block many times; it is fetched once. */
function uniqueLeaves(leaves: readonly Leaf[]): Leaf[] {
  return [...new Map(leaves.map((leaf) => [leaf.cid, leaf])).values()]
}
