/**
 * Caps that both ends of a Footbridge protocol must know, each with its reason.
 * Not here: caps of one side only (the bridge's are in apps/bridge/src/limits.ts).
 */

/** A JSON frame on any Footbridge protocol: room for a 16 000-character text in any script, small enough to buffer per stream. */
export const MAX_FRAME_BYTES = 64 * 1024

/** Characters in one text message; four bytes each still fit one frame. */
export const MAX_TEXT_LENGTH = 16_000

/** Characters in a display name: a full name in any language, one line on a phone. */
export const MAX_NAME_LENGTH = 48

/** Characters of a profile picture as a data: URL; a 96 by 96 WebP needs 2 to 6 KB. */
export const MAX_PICTURE_LENGTH = 16_000

/** Characters in a file name; the limit of the common file systems. */
export const MAX_FILE_NAME_LENGTH = 255

/** Characters in a message id; a UUID has 36. */
export const MAX_MESSAGE_ID_LENGTH = 64

/** Bytes of one block: the UnixFS profile `unixfs-v1-2025` cuts leaves of 1 MiB, and Bitswap's limit is 2 MiB. */
export const MAX_BLOCK_BYTES = 2 * 1024 * 1024

/** A blob frame: one block and its head. */
export const MAX_BLOB_FRAME_BYTES = MAX_BLOCK_BYTES + 64

/**
 * Block requests that one stream may have outstanding. In one noisy run each, 50 MB over WebRTC reached 0.67 of the raw path with 4 and 1.1
 * with 8; a guess at the reason: WebRTC sends in bursts of 2 MiB and waits for an empty buffer between them. More costs memory at both ends.
 */
export const MAX_OUTSTANDING_BLOCKS = 8

/** How far a login's timestamp may be from the bridge's clock. Wide, because phones without a network drift. */
export const LOGIN_CLOCK_TOLERANCE_MS = 5 * 60_000

/** Rows of one presence frame: 100 rows of at most 400 bytes stay below MAX_FRAME_BYTES. */
export const MAX_PRESENCE_ROWS_PER_FRAME = 100

/**
 * A body of the HTTPS tunnel. Proxies that look into uploads hold a body back until it is whole, so it is small; at 256 KiB and two at a time a link of
 * 100 ms still carries 5 MB/s.
 */
export const MAX_TUNNEL_BODY_BYTES = 256 * 1024 + 256

/** Bytes on the way in one direction of a tunnel, which is what each end may have to keep: one full window of a yamux stream, as on the WebSocket. */
export const TUNNEL_WINDOW_BYTES = 512 * 1024

/** Addresses in a peer record that a bridge carries: every address of a bridge with two interfaces and all transports, and short enough for one answer of any discovery. */
export const MAX_ANNOUNCED_ADDRESSES = 16

/** Characters of such a record's envelope in base64url: sixteen addresses of 256 bytes, with key and signature. */
export const MAX_ENVELOPE_LENGTH = 6_144
