/**
 * Which blocks this device gives away: those of blobs that are complete here. Who asks must know the CID; nothing can be listed.
 */
import { CID } from 'multiformats/cid'
import { blocksOf, type BlobStore } from '../store/blobs.ts'

export interface ServedBlocks {
  get(cid: Uint8Array): Promise<Uint8Array | undefined>
  /** A blob was added, completed or removed. */
  changed(): void
}

export function createServedBlocks(store: BlobStore): ServedBlocks {
  let served: Promise<Set<string>> | undefined
  const load = async (): Promise<Set<string>> => {
    const complete = (await store.list()).filter((record) => record.state === 'complete')
    return new Set(complete.flatMap(blocksOf))
  }
  return {
    async get(bytes) {
      const cid = decodeCid(bytes)
      if (cid === undefined) return undefined
      served ??= load()
      if (!(await served).has(cid)) return undefined
      const block = await store.block(cid)
      return block && new Uint8Array(await block.arrayBuffer())
    },
    changed() {
      served = undefined
    },
  }
}

function decodeCid(bytes: Uint8Array): string | undefined {
  try {
    return CID.decode(bytes).toV1().toString()
  } catch {
    return undefined
  }
}
