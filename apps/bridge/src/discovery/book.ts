/**
 * The discovery book: every peer that somebody told of, once, whoever told. Kademlia, mDNS, rendezvous and gossip write into it, and what is dialled or shown is read from it.
 * A full book forgets the peer that was seen longest ago, of those that nobody has met first; those of the operator's settings stay.
 * Not here: who is dialled (discovery.ts), who serves us (helpers.ts), and what outlives the process (memory.ts).
 */
import {
  MAX_ADDRESS_LENGTH,
  MAX_ADDRESSES_PER_PEER,
  MAX_FAILED_DIALS,
  MAX_PEERS,
  MAX_PROTOCOL_LENGTH,
  MAX_PROTOCOLS_PER_PEER,
} from './limits.ts'
import type { KnownAddress, PeerRecord, Source } from './record.ts'

export interface Book {
  list(): readonly PeerRecord[]
  get(peer: string): PeerRecord | undefined
  /** Told of every record after it changed, and of one that is forgotten with undefined. @returns its undo. */
  subscribe(listener: (peer: string, record: PeerRecord | undefined) => void): () => void
  /** @returns the record, with addresses that were known before too. */
  heard(peer: string, addresses: readonly string[], source: Source): PeerRecord
  /** It is connected, and has said what it speaks. */
  met(peer: string, protocols: readonly string[], address?: string): PeerRecord
  /** A dial failed. @returns whether it is forgotten for that. */
  failed(peer: string): boolean
  /** What an earlier process knew; nothing is told, and what is known already stays. */
  restore(records: readonly PeerRecord[]): void
}

export function createBook({ clock, maxPeers = MAX_PEERS }: { readonly clock: () => number; readonly maxPeers?: number }): Book {
  /** In the order in which they were seen last. */
  const records = new Map<string, PeerRecord>()
  const listeners = new Set<(peer: string, record: PeerRecord | undefined) => void>()

  const tell = (peer: string, record: PeerRecord | undefined): void => {
    for (const listener of listeners) listener(peer, record)
  }
  const put = (record: PeerRecord): PeerRecord => {
    records.delete(record.peer)
    records.set(record.peer, record)
    if (records.size > maxPeers) {
      const others = [...records.values()].filter(({ peer, sources }) => peer !== record.peer && !sources.includes('configured'))
      // Anybody can tell of peers that are not there; those that were met are worth more.
      const oldest = others.find(({ lastMet }) => lastMet === undefined) ?? others[0]
      if (oldest !== undefined) forget(oldest.peer)
    }
    tell(record.peer, record)
    return record
  }
  const forget = (peer: string): void => {
    if (records.delete(peer)) tell(peer, undefined)
  }

  return {
    list: () => [...records.values()],
    get: (peer) => records.get(peer),
    subscribe(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    heard(peer, addresses, source) {
      const before = records.get(peer) ?? emptyRecord(peer)
      const told = addresses.map((address) => ({ address, source }))
      return put({ ...before, ...withAddresses(before, told), sources: withSource(before.sources, source), lastSeen: clock() })
    },
    met(peer, protocols, address) {
      const before = records.get(peer) ?? emptyRecord(peer)
      const now = clock()
      return put({
        ...before,
        ...withAddresses(before, address === undefined ? [] : [{ address, source: 'connection' }]),
        sources: withSource(before.sources, 'connection'),
        protocols: protocols.filter(({ length }) => length <= MAX_PROTOCOL_LENGTH).slice(0, MAX_PROTOCOLS_PER_PEER),
        lastSeen: now,
        lastMet: now,
        failures: 0,
      })
    },
    failed(peer) {
      const before = records.get(peer)
      if (before === undefined) return false
      const failures = before.failures + 1
      if (failures < MAX_FAILED_DIALS || before.sources.includes('configured')) {
        // In its place: a failure is no sight of it.
        const after = { ...before, failures }
        records.set(peer, after)
        tell(peer, after)
        return false
      }
      forget(peer)
      return true
    },
    restore(remembered) {
      for (const record of remembered.slice(-maxPeers)) if (!records.has(record.peer)) records.set(record.peer, record)
    },
  }
}

function emptyRecord(peer: string): PeerRecord {
  return { peer, addresses: [], sources: [], protocols: [], lastSeen: 0, lastMet: undefined, failures: 0 }
}

/** The operator's word on an address stands whoever repeats it, and what a dial proved says nothing of who told. */
function withAddresses(before: PeerRecord, told: readonly KnownAddress[]): Pick<PeerRecord, 'addresses'> {
  const addresses = new Map(before.addresses.map((known) => [known.address, known]))
  for (const known of told) {
    if (known.address.length > MAX_ADDRESS_LENGTH) continue
    const earlier = addresses.get(known.address)
    const source =
      earlier !== undefined && (earlier.source === 'configured' || known.source === 'connection') ? earlier.source : known.source
    addresses.delete(known.address)
    addresses.set(known.address, { address: known.address, source })
  }
  const all = [...addresses.values()]
  const kept = all.filter(({ source }) => source === 'configured').slice(-MAX_ADDRESSES_PER_PEER)
  const room = MAX_ADDRESSES_PER_PEER - kept.length
  const others = room === 0 ? [] : all.filter(({ source }) => source !== 'configured').slice(-room)
  return { addresses: [...kept, ...others] }
}

function withSource(sources: readonly Source[], source: Source): readonly Source[] {
  return sources.includes(source) ? sources : [...sources, source]
}
