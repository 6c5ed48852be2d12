/**
 * Frames of `/footbridge/control/1.0.0`: what a bridge tells one of its sessions beside the traffic: which limit holds it up and until when, that a
 * circuit is about to be cut and why, that another device took its place, that the bridge is about to restart.
 *
 *     browser                               bridge
 *       │ hello {now}  ───────────────────────►│   once, right after every connect; the stream then stays open
 *       │◄───────────── welcome {now, limits}  │   the bridge's clock, and what this session may use
 *       │◄───────────── limits {limits}        │   the operator changed them
 *       │◄───────────── held {limit, …}        │   a limit holds this session up now, or has refused something; at most one a second and limit
 *       │◄───────────── ending {peer, …}       │   the circuit with that peer is about to be cut
 *       │◄───────────── replaced               │   a newer connection with this PeerID serves new circuits from now on; this one keeps what it has
 *       │◄───────────── draining {…}           │   the bridge is about to stop: come back after so long
 *
 * Needs a session: the bridge resets the stream of anybody else. Frames of unknown type are skipped, unknown fields ignored; a reader that knows a
 * frame but not its `limit`, `scope` or `reason` must treat it as `other`, so senders may add some.
 * Version history: 1.0.0, 2026-11-21, first.
 */
import * as v from 'valibot'
import { decodeJsonFrame } from './json-frame.ts'
import { word } from './word.ts'

/** Finite: JSON reads 1e999 as Infinity, and a timer that waits so long fires at once. */
const time = v.pipe(v.number(), v.finite(), v.minValue(0))
const amount = v.nullable(v.pipe(v.number(), v.finite(), v.minValue(0)))

/** What is limited. */
const limit = word(['reservations', 'circuits', 'circuit_rate', 'bytes_per_second', 'bytes_per_day'])
/** Whose limit it is: of the token, of this PeerID, of the address it comes from, or of the bridge for everybody. */
const scope = word(['token', 'peer', 'address', 'bridge'])
/** Why a circuit is cut. `circuit_bytes`, `duration`: it has carried or lasted as much as the relay promised. `peer`: the other end's session or connection ended. */
const reason = word(['bytes_per_day', 'circuit_bytes', 'duration', 'session_ended', 'peer', 'draining', 'stalled'])

/** What a session may use; null is unlimited. */
const limits = v.object({
  /** Relayed bytes, both directions, per second and per day (UTC), of the token. */
  bytesPerSecond: amount,
  bytesPerDay: amount,
  bytesUsedToday: v.pipe(v.number(), v.finite(), v.minValue(0)),
  /** Circuits at once, of the token. */
  circuits: amount,
  /** New circuits per minute, of the token. */
  circuitsPerMinute: amount,
})

const schema = v.variant('type', [
  v.object({ type: v.literal('hello'), now: time }),
  v.object({ type: v.literal('welcome'), now: time, limits }),
  v.object({ type: v.literal('limits'), limits }),
  v.object({
    type: v.literal('held'),
    limit,
    scope,
    /** When it will be over, by the bridge's clock; null: when something ends, nobody knows when. */
    until: v.nullable(time),
  }),
  v.object({
    type: v.literal('ending'),
    peer: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
    reason,
    /** When it is cut, by the bridge's clock. */
    at: time,
  }),
  v.object({ type: v.literal('replaced') }),
  v.object({
    type: v.literal('draining'),
    /** Wait so long from now before the first new try; spread by the bridge over its sessions, so that they do not all come at once. */
    reconnectInMs: time,
    /** How long the bridge expects to be away at most; null: it will not come back. */
    awayMs: amount,
  }),
])

export type ControlFrame = v.InferOutput<typeof schema>
export type SessionLimits = v.InferOutput<typeof limits>
export type LimitName = v.InferOutput<typeof limit>
export type LimitScope = v.InferOutput<typeof scope>
export type EndingReason = v.InferOutput<typeof reason>

/** See decodeJsonFrame for what is returned and thrown. */
export function decodeControlFrame(bytes: Uint8Array): ControlFrame | undefined {
  return decodeJsonFrame(schema, bytes)
}
