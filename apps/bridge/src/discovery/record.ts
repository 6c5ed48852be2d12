/**
 * What discovery knows of one peer. Words and shapes alone; what becomes of them is in book.ts (records) and helpers.ts (states).
 */

/** Who told of an address: the operator, or where it was heard. `connection`: it was dialled and answered. */
export const SOURCES = ['configured', 'mdns', 'rendezvous', 'kademlia', 'gossip', 'connection'] as const
export type Source = (typeof SOURCES)[number]

export interface KnownAddress {
  /** A multiaddr that ends in the peer's `/p2p/`. */
  readonly address: string
  readonly source: Source
}

/** A peer that others rely on: it is known, asked, serves, or did and does not. */
export type RelayState = 'discovered' | 'requested' | 'accepted' | 'expired'
/** `pending`: we have no address that means anything to others yet. */
export type RendezvousState = 'discovered' | 'pending' | 'requested' | 'registered' | 'expired'

export interface PeerRecord {
  readonly peer: string
  /** The latest last. */
  readonly addresses: readonly KnownAddress[]
  /** Everybody who told of it. */
  readonly sources: readonly Source[]
  /** By its own identify; empty before. */
  readonly protocols: readonly string[]
  /** Milliseconds since the epoch: connected, or told of. */
  readonly lastSeen: number
  /** When it was connected last; undefined for one that nobody has met. */
  readonly lastMet: number | undefined
  /** Dials in a row that failed. */
  readonly failures: number
}

export const RELAY_PROTOCOL = '/libp2p/circuit/relay/0.2.0/hop'
export const RENDEZVOUS_PROTOCOL = '/rendezvous/1.0.0'
