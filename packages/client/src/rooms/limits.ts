/**
 * Every cap of the rooms of one device, each with its reason. The bridge has caps of its own (apps/bridge/src/gossip/limits.ts).
 */

/** Rooms at a time: two topics each, and one for discovery, stay below what a bridge carries for one session. */
export const MAX_ROOMS = 16
/** Members of a room that are remembered; the longest silent are forgotten first. */
export const MAX_MEMBERS = 500
/** A member who was neither heard nor seen for so long is not listed any more. */
export const MEMBER_TTL_MS = 30 * 60_000
/** Messages of one room that wait for somebody to take them. */
export const MAX_WAITING_IN_ROOM = 100

/** Of a message that is shown: what a page can draw without a pause. A longer one is left out. */
export const MAX_SHOWN_BYTES = 64 * 1024
/** What every peer of universal-connectivity can take: the protocol's own limit, repeated so that the page needs none of its code before a room. */
export const MAX_OFFERED_FILE_BYTES = 4 * 1024 * 1024

/** Own messages a second, and at once: a person who pastes lines, not a program. */
export const PUBLISH_PER_SECOND = 2
export const PUBLISH_BURST = 8
/** What one sender may have kept here: a second, and at once. More is left out, and the log says so. */
export const KEPT_PER_SENDER_AND_SECOND = 2
export const KEPT_BURST = 20
/** Senders whose pace is remembered. */
export const MAX_SENDERS = 1_000
/** Messages that are being written to the store at a time; more are left out: the disk does not keep up. */
export const MAX_STORING = 64

/** Peers found by the discovery topic, and how long their addresses are believed: they are told every ten seconds. */
export const MAX_FOUND = 200
export const FOUND_TTL_MS = 2 * 60_000
/** How often the bridge is asked who else is in a room: a person looks at a list, not at a stopwatch. */
export const ASK_NEIGHBOURS_EVERY_MS = 30_000
/** Native peers that a device connects to so that they can fetch what it offers, and how long the offer waits for that. */
export const MAX_MET = 8
export const MEET_MS = 5_000

/** Direct messages of one peer that are being kept at a time. */
export const MAX_DIRECT_AT_ONCE = 4
/** Files fetched at a time. */
export const MAX_FETCHES = 3
