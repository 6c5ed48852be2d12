/**
 * Reads a UnixFS file's DAG down to the list of its leaves, in file order. Loaded with the first transfer.
 * What is understood: raw leaves under dag-pb file nodes (what `unixfs-v1-2025` and every `--raw-leaves` importer make), and a raw block alone.
 */
import * as dagPb from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import type { CID } from 'multiformats/cid'
import { FootbridgeError } from '@footbridge/shared/errors'
import type { Leaf } from '../store/database.ts'

const RAW = 0x55
/** A leaf of 1 MiB and 1024 links a node: three levels are a petabyte. */
const MAX_DEPTH = 6
/** 100 GiB in leaves of 1 MiB; bounds what a hostile root can make us remember. */
const MAX_LEAVES = 100_000

export interface Dag {
  readonly leaves: readonly Leaf[]
  /** Inner nodes other than the root. */
  readonly nodes: readonly string[]
}

/**
 * @param size the file's bytes, as offered; a DAG that says otherwise is refused.
 * @param block gives a verified block, from here or from a peer.
 * @throws FootbridgeError `protocol_violation` when this is not such a DAG
 */
export async function readDag(root: CID, size: number, block: (cid: CID) => Promise<Uint8Array>): Promise<Dag> {
  const leaves: Leaf[] = []
  const nodes: string[] = []

  const walk = async (cid: CID, expected: number, depth: number): Promise<void> => {
    if (cid.code === RAW) {
      if (leaves.length >= MAX_LEAVES) throw new FootbridgeError('too_large', 'the file has too many blocks')
      leaves.push({ cid: cid.toString(), size: expected })
      return
    }
    if (cid.code !== dagPb.code || depth >= MAX_DEPTH)
      throw new FootbridgeError('protocol_violation', 'the blob is not a file that is understood here')
    if (!cid.equals(root)) nodes.push(cid.toString())
    const { links, sizes } = decodeNode(await block(cid))
    if (sizes.reduce((sum, each) => sum + each, 0) !== expected)
      throw new FootbridgeError('protocol_violation', "the sizes in the file's tree do not add up")
    for (const [index, link] of links.entries()) await walk(link, sizes[index] ?? 0, depth + 1)
  }

  await walk(root, size, 0)
  return { leaves, nodes }
}

function decodeNode(bytes: Uint8Array): { links: CID[]; sizes: number[] } {
  try {
    const node = dagPb.decode(bytes as Uint8Array<ArrayBuffer>)
    const file = UnixFS.unmarshal(node.Data ?? new Uint8Array())
    const sizes = file.blockSizes.map(Number)
    if (file.type !== 'file' || (file.data?.length ?? 0) > 0 || sizes.length !== node.Links.length)
      throw new FootbridgeError('protocol_violation', 'the blob is not a file with raw leaves')
    return { links: node.Links.map((link) => link.Hash as CID), sizes }
  } catch (cause) {
    if (cause instanceof FootbridgeError) throw cause
    throw new FootbridgeError('protocol_violation', 'a node of the blob cannot be read', { cause })
  }
}
