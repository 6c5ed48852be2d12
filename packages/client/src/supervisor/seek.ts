/**
 * When the next try to reach the bridge begins, and when one is given up: pure. Tries overlap, so that one that hangs holds up nobody.
 *
 * Why WebSockets and not HTTP while nobody answers. In a network that swallows packets, a browser keeps the sockets of requests that were called
 * off: Chromium 156 sent 20 SYNs in five seconds at first, 6 after twenty seconds and 0 or 1 after half a minute, because six hanging sockets are all it
 * opens to one host, and a login would have to wait for them too. A WebSocket that is closed takes its socket with it: 7 SYNs in five seconds for the
 * first minute, 4 after that. The later 4 are the price of Chromium's own brake on pages whose WebSockets fail, up to five seconds a try, which is
 * why later tries live longer than the brake and still begin as often.
 *
 * What a bridge sees that comes back to 10 000 sessions: 12 500 dials a second for as long as it cannot serve them. Refusing one costs its kernel a
 * packet. Serving all takes it the time that 10 000 logins take, whoever asks when; a bridge that restarts on purpose spreads them (`draining`).
 */

/** Between the beginnings of two tries in the quick phase: two fit into the two seconds within which a bridge that is back must be found, with a login. */
export const MIN_TRY_MS = 600
export const MAX_TRY_MS = 1_000
/** The quick phase: longer than any restart or tunnel; then a device that was left somewhere without a network saves its battery. */
export const QUICK_MS = 5 * 60_000
/** The slow phase ends at this. `online`, a look at the page or a wake from sleep begin the quick phase anew. */
export const MAX_SLOW_MS = 30_000
/** Doubles once a minute from here. */
const FIRST_SLOW_MS = 3_000
/** A SYN is repeated after 1 and 3 s: a try that got no answer to three is better begun anew. */
const FIRST_DEADLINE_MS = 3_200
/** From then on slow links (satellite, a bridge with ten thousand handshakes to do) get their time, and Chromium's brake is outlived. */
const PATIENT_AFTER_TRIES = 12
const PATIENT_DEADLINE_MS = 8_000
/** Somebody waits for the answer, and nothing hints at a dead network. */
export const CALM_DEADLINE_MS = 15_000

export interface Seek {
  /** Begun so far. */
  readonly tries: number
  /** Beginning of the quick phase. */
  readonly since: number
  /** When the last try began; means nothing before the first. */
  readonly triedAt: number
  /** When the next one begins. */
  readonly tryAt: number
}

/** @param startAt when the first try begins. @param quickMs how long at least tries are quick. */
export function seekFrom(startAt: number, quickMs = 0): Seek {
  return { tries: 0, since: startAt + Math.max(0, quickMs - QUICK_MS), triedAt: startAt, tryAt: startAt }
}

/** A try begins now. */
export function seekTried(seek: Seek, now: number, random: number): Seek {
  return { ...seek, tries: seek.tries + 1, triedAt: now, tryAt: now + pauseMs(now - seek.since, random) }
}

/** Something hints that the network is back: quick again, and a try at once unless one has just begun. */
export function seekSooner(seek: Seek, now: number): Seek {
  const soonest = seek.tries === 0 ? now : Math.max(now, seek.triedAt + MIN_TRY_MS / 2)
  return { ...seek, since: now, tryAt: Math.min(seek.tryAt, soonest) }
}

/** How long the try that begins now may take. */
export function deadlineMs(seek: Seek): number {
  return seek.tries < PATIENT_AFTER_TRIES ? FIRST_DEADLINE_MS : PATIENT_DEADLINE_MS
}

function pauseMs(ageMs: number, random: number): number {
  if (ageMs < QUICK_MS) return MIN_TRY_MS + (MAX_TRY_MS - MIN_TRY_MS) * random
  const slowMs = Math.min(MAX_SLOW_MS, FIRST_SLOW_MS * 2 ** Math.min(10, (ageMs - QUICK_MS) / 60_000))
  return slowMs * (0.5 + random / 2)
}
