/**
 * Every cap of the relay, with its reason. Sizes in bytes, times in the unit that the name says.
 */
export const RELAY_LIMITS = {
  /** Reservations in all: the virtual peers that one bridge carries (DESIGN.md 7). */
  maxReservations: 10_000,
  /** Below an hour, so that a forgotten one goes soon; above 15 min, because js-libp2p renews 5 min before the end. */
  reservationMs: 30 * 60_000,
  /** Circuits in all; each may hold two windows a direction when its reader is slow. */
  maxCircuits: 4_096,
  /** Circuits that one peer is an end of: a busy site has hundreds of visitors. */
  maxCircuitsPerPeer: 512,
  /** Each read and write of a HOP or STOP message. A slept tab answers no STOP; its caller should not wait long to hear it. */
  messageMs: 10_000,
  /** A half-close must have reached the other side's stream within this time, or the circuit is cut: its reader stopped reading. */
  closeMs: 60_000,
  /** What circuits are told on the wire: finite, so that libp2p keeps treating them as limited and looks for a direct path; large, because budgets do the limiting. */
  circuitSeconds: 7 * 24 * 60 * 60,
  circuitBytes: 2 ** 40,
  /** HOP streams of one connection at a time: every circuit that it dialled is one. */
  maxHopStreams: 1_024,
  /** STOP streams to one connection at a time: every circuit that it was dialled by is one. */
  maxStopStreams: 1_024,
  /** How often expired reservations and over-long circuits are looked for. */
  sweepMs: 5_000,
} as const
export type RelayLimits = { readonly [Name in keyof typeof RELAY_LIMITS]: number }
