/**
 * The id of universal-connectivity's direct messages and how many streams of it one connection may have: what a page needs before the first message.
 * Next: direct-message.ts, the wire.
 */
export const UC_DIRECT_MESSAGE_PROTOCOL = '/universal-connectivity/dm/1.0.0'

/** Each is one message: a few may be on their way at once. */
export const MAX_DIRECT_MESSAGE_STREAMS_PER_CONNECTION = 4
