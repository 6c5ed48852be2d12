/**
 * The libp2p protocol ids that Footbridge speaks on streams, one constant each.
 * Not here: the ids of libp2p's own protocols; they come with their packages.
 * Next: docs/protocol.md says what travels on each.
 */

/** Person-to-person messages; JSON frames, acknowledged one by one. */
export const MESSAGE_PROTOCOL = '/footbridge/message/1.0.0'

/** Blocks by CID; binary frames, a bounded number of requests outstanding. */
export const BLOB_PROTOCOL = '/footbridge/blob/1.0.0'

/** A browser and its bridge: who is here, live; JSON frames. */
export const PRESENCE_PROTOCOL = '/footbridge/presence/1.0.0'

/** A browser and its bridge: limits, notices before a circuit is cut or the bridge restarts; JSON frames. */
export const CONTROL_PROTOCOL = '/footbridge/control/1.0.0'

/** A device and its bridge: who can find the device, and the record of its addresses that the bridge carries; JSON frames. */
export const ANNOUNCE_PROTOCOL = '/footbridge/announce/1.0.0'
