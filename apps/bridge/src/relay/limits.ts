/**
 * Every cap of the relay, with its reason. Sizes in bytes, times in the unit that the name says.
 * Limits that an operator changes while the bridge runs have their defaults here too (DEFAULT_BRIDGE_LIMITS); the ceilings above hold whatever they say.
 */
import type { BridgeLimits } from './relay.ts'

export const RELAY_LIMITS = {
  /** Reservations in all, whatever the operator says: at 60 KB each this is 6 GB. */
  maxReservations: 100_000,
  /** Below an hour, so that a forgotten one goes soon; above 15 min, because js-libp2p renews 5 min before the end. */
  reservationMs: 30 * 60_000,
  /** RESERVE requests of one peer: each costs a signature, and an honest one asks twice an hour and once per reconnect. */
  reservePerSecond: 1,
  reserveBurst: 20,
  /** Circuits in all, whatever the operator says. */
  maxCircuits: 65_536,
  /** Each read and write of a HOP or STOP message. A slept tab answers no STOP; its caller should not wait long to hear it. */
  messageMs: 10_000,
  /** A half-close must have reached the other side's stream within this time, or the circuit is cut: its reader stopped reading. */
  closeMs: 60_000,
  /** What circuits are told on the wire: finite, so that libp2p keeps treating them as limited and looks for a direct path; large, because budgets do the limiting. */
  circuitSeconds: 7 * 24 * 60 * 60,
  /** In each direction, as the specification has it. */
  circuitBytes: 2 ** 40,
  /** HOP streams of one connection at a time: every circuit that it dialled is one. */
  maxHopStreams: 1_024,
  /** STOP streams to one connection at a time: every circuit that it was dialled by is one. */
  maxStopStreams: 1_024,
  /** How often expired reservations, over-long circuits and unused leases are looked for. */
  sweepMs: 5_000,
  /** Between saying that a circuit will be cut and cutting it: a channel moves to another path in one or two round trips. */
  noticeMs: 2_000,
  /** What a circuit whose budget is used up may still carry, to say so and to arrange a direct path. */
  farewellBytes: 32 * 1024,
  /** Taken from budgets and rates at once, so that a message costs one subtraction. Also how far a count may run ahead of what was relayed, per circuit. */
  leaseBytes: 64 * 1024,
  /** Tokens counted since the start, about 500 bytes each. */
  maxCountedTokens: 20_000,
} as const
export type RelayLimits = { readonly [Name in keyof typeof RELAY_LIMITS]: number }

/** Until the operator says otherwise (`footbridge limits`). Bytes are left to tokens: what is not paid by a token is paid by nobody's choice. */
export const DEFAULT_BRIDGE_LIMITS: BridgeLimits = {
  /** A busy site has hundreds of visitors; twenty circuits a second are a crowd at the door. */
  peer: { reservations: 1, circuits: 512, circuitsPerMinute: 1_200, bytesPerSecond: null, bytesPerDay: null },
  /** A school or a mobile provider's gateway, and not a whole bridge for one network. */
  address: { reservations: 2_000, circuits: 1_024, circuitsPerMinute: 6_000, bytesPerSecond: null, bytesPerDay: null },
  /** The virtual peers of DESIGN.md 7. Each circuit may hold two windows a direction when its reader is slow; setting one up costs milliseconds. */
  bridge: { reservations: 10_000, circuits: 4_096, circuitsPerMinute: 12_000, bytesPerSecond: null, bytesPerDay: null },
}
