/**
 * Frames of `/footbridge/presence/1.0.0`: a browser asks its bridge who is here and is told of every change.
 *
 *     browser                               bridge
 *       │ hello {name, device}  ──────────────►│
 *       │◄──────────── peers {rows, reset:true}│   the whole list, in as many frames as it takes; the first has reset
 *       │◄──────────── peers {rows}            │   then: rows that are new or have changed
 *       │◄──────────── gone {peers}            │   and peers that are no longer here
 *       │ hello {name, device}  ──────────────►│   again whenever one of them changes
 *
 * Needs a session: the bridge resets the stream of anybody else. The browser itself is not in its own list.
 * Version history: 1.0.0, 2026-11-21, first; 2026-11-22, `replaced` came and went: it is in control-frame.ts. Frames of unknown type are skipped, unknown fields ignored.
 */
import * as v from 'valibot'
import { MAX_NAME_LENGTH, MAX_PRESENCE_ROWS_PER_FRAME } from '../limits.ts'
import { decodeJsonFrame } from './json-frame.ts'

const peer = v.pipe(v.string(), v.minLength(1), v.maxLength(128))
const name = v.pipe(v.string(), v.maxLength(MAX_NAME_LENGTH))
const device = v.picklist(['browser', 'phone'])

const row = v.object({
  peer,
  /** Empty when the person has given none. */
  name,
  device,
  /** When the peer became reachable: milliseconds since the epoch, the bridge's clock. */
  since: v.pipe(v.number(), v.finite(), v.minValue(0)),
})

const schema = v.variant('type', [
  v.object({ type: v.literal('hello'), name, device }),
  v.object({
    type: v.literal('peers'),
    rows: v.pipe(v.array(row), v.maxLength(MAX_PRESENCE_ROWS_PER_FRAME)),
    reset: v.optional(v.boolean()),
  }),
  v.object({ type: v.literal('gone'), peers: v.pipe(v.array(peer), v.maxLength(MAX_PRESENCE_ROWS_PER_FRAME)) }),
])

export type PresenceFrame = v.InferOutput<typeof schema>
export type PresenceRow = v.InferOutput<typeof row>
export type DeviceKind = v.InferOutput<typeof device>

/** See decodeJsonFrame for what is returned and thrown. */
export function decodePresenceFrame(bytes: Uint8Array): PresenceFrame | undefined {
  return decodeJsonFrame(schema, bytes)
}
