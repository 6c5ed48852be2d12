/**
 * When a session comes back after a restart: not all at once, because each costs the bridge a login, a handshake and a signature.
 */

/** About what one processor core needs for a login, a Noise handshake, a reservation and a first list, twice over. */
const MS_PER_SESSION = 6
/** Nobody is kept away longer for the others' sake: at 10 000 sessions this is 330 a second. */
const MAX_SPREAD_MS = 30_000

/** @param random from 0 to below 1. @returns whole milliseconds from now, not before the bridge stops. */
export function reconnectInMs(given: { readonly afterMs: number; readonly sessions: number; readonly random: number }): number {
  const { afterMs, sessions, random } = given
  return Math.ceil(afterMs + random * Math.min(MAX_SPREAD_MS, sessions * MS_PER_SESSION))
}
