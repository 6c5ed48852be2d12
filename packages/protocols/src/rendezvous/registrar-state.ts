/**
 * When to register and to discover again at one point in one namespace: pure and total, so that a model test can walk every way through it. Rules T1 to T8 of SPEC.md.
 *
 *     registration   off ◄──addresses──► due ──time──► asking ──answer──► registered ──time──► asking
 *                                         ▲               └──failure──► due (later each time)
 *     discovery                          due ──time──► asking ──answer or failure──► due
 *
 * Invariants: at most one question of each kind is on its way; a registration is renewed before its time is over; a cookie that the point refused is not shown again;
 * failures wait longer each time, up to a limit.
 * Not here: asking (rendezvous-registrar.ts does what the effects say).
 */
export interface RegistrarTimes {
  /** Between two looks, when nothing failed. */
  readonly discoverEveryMs: number
  /** After the first failure; doubles with each, up to the last. */
  readonly retryMs: number
  readonly maxRetryMs: number
}

/** As long as it takes that somebody new is worth a question; one poll of an idle namespace is 100 bytes. */
export const DEFAULT_TIMES: RegistrarTimes = { discoverEveryMs: 90_000, retryMs: 5_000, maxRetryMs: 10 * 60_000 }

/** Pages in a row, of a point that always has more. */
const MAX_PAGES = 20

interface Known {
  /** Until when the last registration holds at the point; 0 before the first. */
  readonly until: number
  readonly failures: number
}

export type Registration =
  /** There is nothing to say: no address, or it is not wanted. */
  | (Known & { readonly state: 'off' })
  | (Known & { readonly state: 'due'; readonly at: number })
  /** `isStale`: what is being registered is not right any more. */
  | (Known & { readonly state: 'asking'; readonly isStale: boolean })
  | (Known & { readonly state: 'registered'; readonly at: number })

export type Discovery = {
  readonly cookie: Uint8Array | undefined
  readonly failures: number
  /** In a row. */
  readonly pages: number
} & ({ readonly state: 'off' } | { readonly state: 'due'; readonly at: number } | { readonly state: 'asking' })

export interface RegistrarState {
  readonly registration: Registration
  readonly discovery: Discovery
}

export type RegistrarEvent =
  /** Time has passed. */
  | { readonly type: 'tick' }
  /** Ours changed; `hasAny`: there are some. */
  | { readonly type: 'addresses'; readonly hasAny: boolean }
  /** Somebody wants to know now. */
  | { readonly type: 'look' }
  | { readonly type: 'registered'; readonly ttlSeconds: number }
  | { readonly type: 'register-failed' }
  | { readonly type: 'discovered'; readonly cookie: Uint8Array | undefined; readonly isMore: boolean }
  | { readonly type: 'discover-failed'; readonly isCookie: boolean }

export type RegistrarEffect =
  | { readonly type: 'register' }
  | { readonly type: 'unregister' }
  | { readonly type: 'discover'; readonly cookie: Uint8Array | undefined }

export interface Step {
  readonly state: RegistrarState
  readonly effects: readonly RegistrarEffect[]
}

/** @param discovers whether it looks for others. */
export function initialState(discovers: boolean, now: number): RegistrarState {
  const nothing = { cookie: undefined, failures: 0, pages: 0 }
  return {
    registration: { state: 'off', until: 0, failures: 0 },
    discovery: discovers ? { ...nothing, state: 'due', at: now } : { ...nothing, state: 'off' },
  }
}

/** @param random from 0 to below 1, for the jitter of what this step puts off. */
export function next(state: RegistrarState, event: RegistrarEvent, now: number, random: number, times: RegistrarTimes): Step {
  const registration = nextRegistration(state.registration, event, now, random, times)
  const discovery = nextDiscovery(state.discovery, event, now, random, times)
  // Who has just lost its last address is still told of, and so is one whose registration came through after that.
  const withdraws =
    (event.type === 'addresses' && !event.hasAny && state.registration.until > now) ||
    (event.type === 'registered' && state.registration.state === 'off')
  return ask({ registration, discovery }, now, withdraws ? [{ type: 'unregister' }] : [])
}

/** When a tick is due; undefined: not before another event. */
export function nextAt({ registration, discovery }: RegistrarState): number | undefined {
  const times = [registration, discovery].flatMap((part) => ('at' in part ? [part.at] : []))
  return times.length === 0 ? undefined : Math.min(...times)
}

export type RegistrationWord = 'pending' | 'requested' | 'registered' | 'expired'

/** What a list of points shows: a registration that is being renewed counts until its time is over. */
export function wordOf({ state, until }: Registration, now: number): RegistrationWord {
  if (state === 'off') return 'pending'
  if (until > now) return 'registered'
  if (state === 'asking') return 'requested'
  return until > 0 ? 'expired' : 'pending'
}

/** Asks whatever is due, once. */
function ask({ registration, discovery }: RegistrarState, now: number, before: readonly RegistrarEffect[]): Step {
  const effects = [...before]
  const registers = (registration.state === 'due' || registration.state === 'registered') && registration.at <= now
  const discovers = discovery.state === 'due' && discovery.at <= now
  if (registers) effects.push({ type: 'register' })
  if (discovers) effects.push({ type: 'discover', cookie: discovery.cookie })
  const { until, failures } = registration
  const { cookie, pages } = discovery
  return {
    state: {
      registration: registers ? { state: 'asking', until, failures, isStale: false } : registration,
      discovery: discovers ? { state: 'asking', cookie, failures: discovery.failures, pages } : discovery,
    },
    effects,
  }
}

function nextRegistration(present: Registration, event: RegistrarEvent, now: number, random: number, times: RegistrarTimes): Registration {
  const { until, failures } = present
  switch (event.type) {
    case 'addresses':
      if (!event.hasAny) return { state: 'off', until: 0, failures: 0 }
      return present.state === 'asking' ? { ...present, isStale: true } : { state: 'due', at: now, until, failures: 0 }
    case 'registered': {
      if (present.state !== 'asking') return present
      const ttlMs = event.ttlSeconds * 1000
      if (present.isStale) return { state: 'due', at: now, until: now + ttlMs, failures: 0 }
      // At half to three quarters of its time, so that a failure can be made up for, and not all at once.
      return { state: 'registered', at: now + ttlMs * (0.5 + 0.25 * random), until: now + ttlMs, failures: 0 }
    }
    case 'register-failed':
      if (present.state !== 'asking') return present
      return { state: 'due', at: now + retryAfter(failures, random, times), until, failures: failures + 1 }
    case 'tick':
    case 'look':
    case 'discovered':
    case 'discover-failed':
      return present
  }
}

function nextDiscovery(present: Discovery, event: RegistrarEvent, now: number, random: number, times: RegistrarTimes): Discovery {
  switch (event.type) {
    case 'look':
      return present.state === 'due' ? { ...present, at: now } : present
    case 'discovered': {
      if (present.state !== 'asking') return present
      const { cookie } = event
      const isMore = event.isMore && cookie !== undefined && present.pages + 1 < MAX_PAGES
      if (isMore) return { state: 'due', at: now, cookie, failures: 0, pages: present.pages + 1 }
      return { state: 'due', at: now + times.discoverEveryMs * (0.75 + 0.5 * random), cookie, failures: 0, pages: 0 }
    }
    case 'discover-failed': {
      if (present.state !== 'asking') return present
      if (event.isCookie && present.cookie !== undefined)
        return { state: 'due', at: now, cookie: undefined, failures: present.failures, pages: 0 }
      const at = now + retryAfter(present.failures, random, times)
      return { state: 'due', at, cookie: present.cookie, failures: present.failures + 1, pages: 0 }
    }
    case 'tick':
    case 'addresses':
    case 'registered':
    case 'register-failed':
      return present
  }
}

function retryAfter(failures: number, random: number, { retryMs, maxRetryMs }: RegistrarTimes): number {
  return Math.min(retryMs * 2 ** Math.min(failures, 20), maxRetryMs) * (0.5 + 0.5 * random)
}
