/**
 * Every cap of the bridge's gossip, each with its reason. Those of gossipsub itself are in node/gossip.ts.
 */

/** Data of one message: what universal-connectivity's peers and the other implementations take by default. */
export const MAX_GOSSIP_BYTES = 1024 * 1024
/** Topics that one session may have the bridge carry: the app's rooms need two each, and one for discovery. */
export const MAX_TOPICS_PER_SESSION = 64
/** Topics that the bridge carries for all: each is a mesh with a heartbeat every second. */
export const MAX_TOPICS = 1_000
/** Bytes of a topic's name; longer ones are not carried. */
export const MAX_TOPIC_BYTES = 256
/** Peers whose topics are remembered: all that are connected. */
export const MAX_GOSSIP_PEERS = 12_000

/**
 * Messages that one token's peers together, or one peer without a session, may hand to the bridge in a second, and at once. What is above is dropped,
 * and costs its sender nothing else: a busy mesh that forwards for others is no attacker. A native peer forwards what a whole mesh says.
 */
export const MESSAGES_PER_SECOND_OF_TOKEN = 10
export const MESSAGE_BURST_OF_TOKEN = 100
export const MESSAGES_PER_SECOND_OF_PEER = 100
export const MESSAGE_BURST_OF_PEER = 500
/** Bytes likewise: a message of the greatest size now and then. */
export const BYTES_PER_SECOND_OF_TOKEN = 256 * 1024
export const BYTE_BURST_OF_TOKEN = 4 * MAX_GOSSIP_BYTES
export const BYTES_PER_SECOND_OF_PEER = 1024 * 1024
export const BYTE_BURST_OF_PEER = 8 * MAX_GOSSIP_BYTES
/** Payers whose rates are remembered; the longest unused are forgotten. */
export const MAX_PAYERS = 20_000
