/**
 * How this device stays reachable through its bridge: states, events, and the pure function between them. The driver (supervisor.ts) does the work.
 *
 *     out ──start──► login ──► dial ──► reserve ──► online ──lost──► dial …
 *                      ▲                   │           │
 *      waiting ────────┘◄──── any failure ─┘           └─ renew (login in the background)
 *
 * Invariants (model-tested):
 * - at most one step runs; what an older step reports is ignored (`run`);
 * - `waiting` always has a time to go on at, within MAX_WAIT_MS or the bridge's own retry-after;
 * - only a refusal that another try cannot change leads to `out`; everything else is tried for ever;
 * - after a lost connection the first new try is at once, the next ones back off.
 */
import type { ErrorCode } from '@footbridge/shared/errors'
import type { SessionAnswer } from '@footbridge/shared/login'

export const MIN_WAIT_MS = 500
/** The wait grows to this and stays for QUICK_ATTEMPTS, so that a bridge that restarts is found again within two seconds; then it grows on. */
const QUICK_WAIT_MS = 2_000
const QUICK_ATTEMPTS = 10
export const MAX_WAIT_MS = 30_000
/** A bridge may ask for more patience than our own back-off, but not for ever. */
export const MAX_RETRY_AFTER_MS = 10 * 60_000
/** A login is renewed when this part of its life is left. */
const RENEW_AT = 0.25
/** A reservation is asked for again when this part of its life is left; the bridge's clock and ours may differ by minutes. */
const REFRESH_AT = 0.5

/** Refusals that the same device cannot change by trying again. */
const FINAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'bad_request',
  'signature_invalid',
  'clock_skew',
  'token_unknown',
  'token_expired',
  'token_revoked',
  'token_devices_full',
  'device_unknown',
  'guests_off',
  'guests_full',
])

/** `given`: a person waits for the answer, so any failure is shown to them instead of being tried again. */
export type LoginKind = 'given' | 'device'

export type Supervisor =
  | { readonly state: 'out'; readonly run: number; readonly reason: ErrorCode | undefined }
  | { readonly state: 'login'; readonly run: number; readonly attempt: number; readonly kind: LoginKind }
  | {
      readonly state: 'dial' | 'reserve'
      readonly run: number
      readonly attempt: number
      readonly kind: LoginKind
      readonly session: SessionAnswer
    }
  | {
      readonly state: 'online'
      readonly run: number
      readonly session: SessionAnswer
      /** This device's clock. */
      readonly renewAt: number
      readonly refreshAt: number
      readonly expiresAt: number
    }
  | { readonly state: 'waiting'; readonly run: number; readonly attempt: number; readonly code: ErrorCode; readonly retryAt: number }

export type SupervisorEvent =
  | { readonly type: 'start'; readonly kind: LoginKind }
  | { readonly type: 'loggedIn'; readonly run: number; readonly session: SessionAnswer }
  | { readonly type: 'dialled'; readonly run: number }
  /** `ttlMs`: how long the reservation lasts. */
  | { readonly type: 'reserved'; readonly run: number; readonly ttlMs: number }
  | { readonly type: 'failed'; readonly run: number; readonly code: ErrorCode; readonly retryAfterMs: number | undefined }
  /** The last connection to the bridge closed, or is dead. */
  | { readonly type: 'lost' }
  /** The bridge is there but no longer knows the session. */
  | { readonly type: 'sessionLost' }
  | { readonly type: 'renewed'; readonly session: SessionAnswer }
  | { readonly type: 'renewFailed'; readonly code: ErrorCode }
  | { readonly type: 'refreshed'; readonly ttlMs: number }
  | { readonly type: 'tick' }
  /** The network came back, the page is looked at again, or the person asked. */
  | { readonly type: 'wake' }
  | { readonly type: 'stop'; readonly reason: ErrorCode | undefined }

export type SupervisorEffect =
  | { readonly type: 'login' | 'dial' | 'reserve'; readonly run: number }
  /** In the background, while online. */
  | { readonly type: 'renew' | 'refresh' | 'checkLink' }
  | { readonly type: 'hangUp' }

export interface Step {
  readonly next: Supervisor
  readonly effects: readonly SupervisorEffect[]
}

export interface Chance {
  /** This device's clock, milliseconds. */
  readonly now: number
  /** Between 0 and 1. */
  readonly random: number
}

export const START: Supervisor = { state: 'out', run: 0, reason: undefined }

export function decide(current: Supervisor, event: SupervisorEvent, chance: Chance): Step {
  switch (event.type) {
    case 'start':
      return login(current, event.kind, 0)
    case 'stop':
      return out(current, event.reason)
    case 'loggedIn':
    case 'dialled':
    case 'reserved':
    case 'failed':
      // What an older step reports is nobody's business any more.
      return event.run === current.run ? stepEnded(current, event, chance) : stay(current)
    case 'lost':
      return lost(current, chance)
    case 'tick':
      return tick(current, chance)
    case 'wake':
      return wake(current)
    case 'sessionLost':
    case 'renewed':
    case 'renewFailed':
    case 'refreshed':
      return current.state === 'online' ? whileOnline(current, event, chance) : stay(current)
  }
}

type EventOf<Type extends SupervisorEvent['type']> = Extract<SupervisorEvent, { type: Type }>
type Online = Extract<Supervisor, { state: 'online' }>

/** The running step reports its end. */
function stepEnded(current: Supervisor, event: EventOf<'loggedIn' | 'dialled' | 'reserved' | 'failed'>, chance: Chance): Step {
  if (event.type === 'failed') return failed(current, event, chance)
  if (event.type === 'loggedIn' && current.state === 'login') return step('dial', current, event.session)
  if (event.type === 'dialled' && current.state === 'dial') return step('reserve', current, current.session)
  if (event.type === 'reserved' && current.state === 'reserve')
    return stay({ state: 'online', run: current.run + 1, session: current.session, ...due(current.session, event.ttlMs, chance.now) })
  return stay(current)
}

function whileOnline(current: Online, event: EventOf<'sessionLost' | 'renewed' | 'renewFailed' | 'refreshed'>, { now }: Chance): Step {
  switch (event.type) {
    case 'sessionLost':
      return login(current, 'device', 1)
    case 'renewed':
      return stay({ ...current, session: event.session, ...dueSession(event.session, now) })
    case 'renewFailed':
      return FINAL.has(event.code) ? out(current, event.code) : stay({ ...current, renewAt: now + MAX_WAIT_MS })
    case 'refreshed':
      return stay({ ...current, refreshAt: now + event.ttlMs * REFRESH_AT })
  }
}

function lost(current: Supervisor, chance: Chance): Step {
  if (current.state === 'online') return step('dial', { ...current, attempt: 0, kind: 'device' }, current.session)
  // While dialling, a closing connection is one that the dial replaces; while reserving, the one that it needs.
  return current.state === 'reserve' ? wait(current, 'unreachable', undefined, chance) : stay(current)
}

function wake(current: Supervisor): Step {
  if (current.state === 'waiting') return login(current, 'device', current.attempt)
  return current.state === 'online' ? { next: current, effects: [{ type: 'checkLink' }] } : stay(current)
}

/** When `tick` has something to do; undefined: never. */
export function nextTickAt(current: Supervisor): number | undefined {
  if (current.state === 'waiting') return current.retryAt
  if (current.state === 'online') return Math.min(current.renewAt, current.refreshAt, current.expiresAt)
  return undefined
}

function tick(current: Supervisor, { now }: Chance): Step {
  if (current.state === 'waiting') return now >= current.retryAt ? login(current, 'device', current.attempt) : stay(current)
  if (current.state !== 'online') return stay(current)
  if (now >= current.expiresAt) return login(current, 'device', 0)
  const effects: SupervisorEffect[] = []
  // Pushed ahead at once, so that a slow answer is not asked for twice.
  let next = current
  if (now >= current.renewAt) {
    effects.push({ type: 'renew' })
    next = { ...next, renewAt: now + MAX_WAIT_MS }
  }
  if (now >= current.refreshAt) {
    effects.push({ type: 'refresh' })
    next = { ...next, refreshAt: now + MAX_WAIT_MS }
  }
  return { next, effects }
}

function failed(current: Supervisor, event: EventOf<'failed'>, chance: Chance): Step {
  if (current.state !== 'login' && current.state !== 'dial' && current.state !== 'reserve') return stay(current)
  if (current.kind === 'given' || (current.state === 'login' && FINAL.has(event.code))) return out(current, event.code)
  // A refused reservation means that the bridge forgot the session, as a restarted one does: log in, once at once.
  if (current.state === 'reserve' && event.code === 'unauthorized' && current.attempt === 0) return login(current, 'device', 1)
  return wait(current, event.code, event.retryAfterMs, chance)
}

function out(current: Supervisor, reason: ErrorCode | undefined): Step {
  return { next: { state: 'out', run: current.run + 1, reason }, effects: [{ type: 'hangUp' }] }
}

function login(current: Supervisor, kind: LoginKind, attempt: number): Step {
  const run = current.run + 1
  return { next: { state: 'login', run, attempt, kind }, effects: [{ type: 'login', run }] }
}

function step(state: 'dial' | 'reserve', current: { run: number; attempt: number; kind: LoginKind }, session: SessionAnswer): Step {
  const run = current.run + 1
  return { next: { state, run, attempt: current.attempt, kind: current.kind, session }, effects: [{ type: state, run }] }
}

function wait(
  current: { readonly run: number; readonly attempt: number },
  code: ErrorCode,
  retryAfterMs: number | undefined,
  { now, random }: Chance,
): Step {
  const backOffMs = backOff(current.attempt)
  // Jitter spreads the tabs that a restarted bridge lost at one moment.
  const waitMs = Math.max(backOffMs * (0.5 + random / 2), Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS))
  return stay({ state: 'waiting', run: current.run + 1, attempt: current.attempt + 1, code, retryAt: now + waitMs })
}

function backOff(attempt: number): number {
  if (attempt < QUICK_ATTEMPTS) return Math.min(QUICK_WAIT_MS, MIN_WAIT_MS * 2 ** attempt)
  return Math.min(MAX_WAIT_MS, QUICK_WAIT_MS * 2 ** Math.min(10, attempt - QUICK_ATTEMPTS + 1))
}

function stay(next: Supervisor): Step {
  return { next, effects: [] }
}

function dueSession(session: SessionAnswer, now: number): { renewAt: number; expiresAt: number } {
  const lifeMs = Math.max(0, session.expiresAt - session.serverTime)
  return { renewAt: now + lifeMs * (1 - RENEW_AT), expiresAt: now + lifeMs }
}

function due(session: SessionAnswer, ttlMs: number, now: number): { renewAt: number; expiresAt: number; refreshAt: number } {
  return { ...dueSession(session, now), refreshAt: now + Math.max(MAX_WAIT_MS, ttlMs * REFRESH_AT) }
}
