/**
 * Notices that the machine slept, the page was frozen, or somebody set the clock, by a tick that comes far too late or by two clocks that disagree: pure.
 * A monotonic clock stands still in sleep on some systems and runs on in others; the wall clock always shows it, and can be set by hand. Background
 * tabs tick once a minute at worst, which looks like a sleep and costs one question to the bridge.
 */

export const CLOCK_TICK_MS = 1_000
/** Later than a busy main thread or a throttled tab makes a tick of a second. */
const SLEPT_MS = 4_000
/** Clocks drift apart by milliseconds an hour, and are corrected by fractions of a second. */
const SET_MS = 5_000

export interface Clocks {
  /** Milliseconds since the epoch. */
  readonly wall: number
  /** Milliseconds, never going back. */
  readonly steady: number
}

export interface ClockNews {
  /** Longer than it should have been between two ticks; 0 when all is well. */
  readonly sleptMs: number
  /** By how much the wall clock was set back; 0 when it was not. Being set forward cannot be told from sleep. */
  readonly setBackMs: number
}

export function compareClocks(before: Clocks, now: Clocks): ClockNews {
  const wallMs = now.wall - before.wall
  const steadyMs = now.steady - before.steady
  const lateMs = Math.max(wallMs, steadyMs) - CLOCK_TICK_MS
  return { sleptMs: lateMs >= SLEPT_MS ? lateMs : 0, setBackMs: steadyMs - wallMs >= SET_MS ? steadyMs - wallMs : 0 }
}
