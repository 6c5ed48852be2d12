/**
 * What discovery remembers over a restart: peers that were met within a day, in one JSON file of the data folder that only its owner reads. Written whole under another
 * name and then put in place, so that a crash leaves the old one. It is a help and no more: a file that cannot be read is an empty memory.
 */
import { readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import * as v from 'valibot'
import {
  MAX_ADDRESS_LENGTH,
  MAX_ADDRESSES_PER_PEER,
  MAX_MEMORY_BYTES,
  MAX_PROTOCOL_LENGTH,
  MAX_PROTOCOLS_PER_PEER,
  MAX_REMEMBERED,
  MEMORY_LIFE_MS,
} from './limits.ts'
import { SOURCES, type PeerRecord } from './record.ts'

export interface Memory {
  /** Oldest first. */
  load(): Promise<readonly PeerRecord[]>
  /** One at a time: whoever calls waits for the call before. */
  save(records: readonly PeerRecord[]): Promise<void>
}

const MEMORY_FILE = 'discovery.json'

const addressSchema = v.pipe(
  v.string(),
  v.maxLength(MAX_ADDRESS_LENGTH),
  v.check((text) => canBe(() => multiaddr(text)), 'no multiaddr'),
)
const memorySchema = v.object({
  version: v.literal(1),
  peers: v.pipe(
    v.array(
      v.object({
        peer: v.pipe(
          v.string(),
          v.maxLength(128),
          v.check((text) => canBe(() => peerIdFromString(text)), 'no PeerID'),
        ),
        addresses: v.pipe(v.array(v.object({ address: addressSchema, source: v.picklist(SOURCES) })), v.maxLength(MAX_ADDRESSES_PER_PEER)),
        protocols: v.pipe(v.array(v.pipe(v.string(), v.maxLength(MAX_PROTOCOL_LENGTH))), v.maxLength(MAX_PROTOCOLS_PER_PEER)),
        lastMet: v.pipe(v.number(), v.integer(), v.minValue(0)),
      }),
    ),
    v.maxLength(MAX_REMEMBERED),
  ),
})

export function createMemory({ dataDir, clock }: { readonly dataDir: string; readonly clock: () => number }): Memory {
  const path = join(dataDir, MEMORY_FILE)

  return {
    async load() {
      const peers = parse(await read(path))
      const now = clock()
      return peers
        .filter(({ lastMet }) => lastMet <= now && now - lastMet < MEMORY_LIFE_MS)
        .sort((one, other) => one.lastMet - other.lastMet)
        .map(({ peer, addresses, protocols, lastMet }) => ({
          peer,
          addresses,
          // The settings may have changed since: who is the operator's is said by them alone.
          sources: [...new Set(addresses.map(({ source }) => source))].filter((source) => source !== 'configured'),
          protocols,
          lastSeen: lastMet,
          lastMet,
          failures: 0,
        }))
    },
    async save(records) {
      const peers = records
        .filter((record): record is PeerRecord & { lastMet: number } => record.lastMet !== undefined && record.addresses.length > 0)
        .sort((one, other) => one.lastMet - other.lastMet)
        .slice(-MAX_REMEMBERED)
        .map(({ peer, addresses, protocols, lastMet }) => ({
          peer,
          addresses: addresses.map(({ address, source }) => ({ address, source: source === 'configured' ? 'connection' : source })),
          protocols,
          lastMet,
        }))
      await writeFile(`${path}.new`, `${JSON.stringify({ version: 1, peers })}\n`, { mode: 0o600 })
      await rename(`${path}.new`, path)
    },
  }
}

async function read(path: string): Promise<string> {
  try {
    return (await stat(path)).size > MAX_MEMORY_BYTES ? '' : await readFile(path, 'utf8')
  } catch {
    return ''
  }
}

function parse(text: string): v.InferOutput<typeof memorySchema>['peers'] {
  try {
    const parsed = v.safeParse(memorySchema, JSON.parse(text))
    return parsed.success ? parsed.output.peers : []
  } catch {
    return []
  }
}

function canBe(parseIt: () => unknown): boolean {
  try {
    parseIt()
    return true
  } catch {
    return false
  }
}
