/** Every cap and time of discovery, each with its reason. */
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** Reservations on others' relays, and registrations at rendezvous points: two may die at once without anybody noticing. */
export const MAX_RESERVATIONS = 3
export const MAX_REGISTRATIONS = 3
/** Relays and rendezvous points known at once, of each: replacements enough, and a network of nothing but relays costs no more. */
export const MAX_HELPERS = 128
/** Records of the book, at some 500 bytes each. */
export const MAX_PEERS = 4_096
/** Addresses of one peer: its kinds of transport. */
export const MAX_ADDRESSES_PER_PEER = 4
/** Characters of an address: one with two certificate hashes has some 300. */
export const MAX_ADDRESS_LENGTH = 512
/** Protocols kept of one peer: libp2p itself takes no more from identify. */
export const MAX_PROTOCOLS_PER_PEER = 64
export const MAX_PROTOCOL_LENGTH = 256
/** Failed dials in a row after which a peer is forgotten. */
export const MAX_FAILED_DIALS = 3
/** Dials of discovery at once, and waiting: libp2p has its own limit for everybody's, and must have room for people. */
export const MAX_DIALS = 8
export const MAX_WAITING_DIALS = 256
export const DIAL_TIMEOUT_MS = 15 * SECOND

/** Peers that are remembered on disk, for how long, and how many of them are dialled at a start. */
export const MAX_REMEMBERED = 512
export const MEMORY_LIFE_MS = 24 * HOUR
export const MAX_START_DIALS = 32
/** How often the memory is written when it changed: what a crash forgets. */
export const MEMORY_SAVE_MS = MINUTE
/** Of the file: above MAX_REMEMBERED records at all their limits, so that what grew is not what we wrote. */
export const MAX_MEMORY_BYTES = 4 * 1024 * 1024

/** How long a helper that refused, or was lost, is left in peace; doubles with each time up to the last. */
export const RETRY_MS = 30 * SECOND
export const MAX_RETRY_MS = 15 * MINUTE
/** How often the state is looked at: what is over by the clock alone is late by this at most. */
export const TICK_MS = 5 * SECOND
/** One question of a rendezvous point in this time: half of one a minute, as its other clients ask. */
export const DISCOVER_EVERY_MS = 2 * MINUTE
/** Registrations asked for in one answer. */
export const DISCOVER_LIMIT = 100
/** Two hours: the least that Rust's points take. */
export const REGISTRATION_TTL_SECONDS = 2 * 3_600
/** A registration is renewed this long before it ends, or in the middle of a short one. */
export const RENEW_BEFORE_MS = 10 * MINUTE
export const REQUEST_TIMEOUT_MS = 20 * SECOND

/** After the first connection of our own making: AutoNAT has asked four peers by then, or there were none. */
export const REACHABILITY_GRACE_MS = 30 * SECOND
/** Addresses of ours in a registration: a point in Go takes 2048 bytes of them. */
export const MAX_REGISTERED_ADDRESSES = 8
/** How long a stop may take to tell the points that we are gone. */
export const FAREWELL_MS = 1_000
/** How long a helper in use is kept from those who close idle connections; renewed with its service. */
export const TAG_LIFE_MS = 3 * HOUR
