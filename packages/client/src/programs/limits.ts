/** Every cap of a program's client, each with its reason. The bridge has caps of its own. */

/** Events that one reader may leave unread; the oldest goes first and the reader is told how many. */
export const MAX_QUEUED_EVENTS = 256
/** Bytes of messages among them. */
export const MAX_QUEUED_BYTES = 8 * 1024 * 1024
/** Readers and listeners of events: more are a leak of the program's. */
export const MAX_READERS = 64

/** What a bridge carries for one session (apps/bridge/src/gossip/limits.ts). */
export const MAX_TOPICS = 64
export const MAX_TOPIC_BYTES = 256
export const MAX_PUBLISHED_BYTES = 1024 * 1024

/** Dials to different peers under way. */
export const MAX_PENDING_DIALS = 64
/** Addresses that `bootstrap` takes at once. */
export const MAX_BOOTSTRAP_ADDRESSES = 64
/** A direct dial with its handshakes; the node's own limits lie below. */
export const DIAL_TIMEOUT_MS = 20_000
/** Negotiation of one stream on a connection that is there. */
export const STREAM_TIMEOUT_MS = 15_000

export const MAX_PROTOCOLS = 128
/** Streams of one protocol that one connection may have open towards this program; a handler may ask for another number. */
export const MAX_INBOUND_STREAMS = 32
export const MAX_OUTBOUND_STREAMS = 256

/** Peers of the bridge's list whose names are remembered, and paths that are shown. */
export const MAX_REMEMBERED_PEERS = 10_000
/** Failures of direct connections that are remembered, and first hops that won. */
export const MAX_REMEMBERED_FAILURES = 1_000
