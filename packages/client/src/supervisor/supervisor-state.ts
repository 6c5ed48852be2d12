/**
 * How this device stays reachable through its bridge: states, events, and the pure function between them. The driver (supervisor.ts) does the work.
 *
 *     out ──start──► login ──► dial ──► reserve ──► online ──lost──► dial …
 *                      ▲        │ ▲        │          │ │
 *                      │        │ └────────┴──────────┘ ├─ renew (login in the background), refresh (reserve)
 *                      └────────┴─ no session           └─ doubt: a second dial beside the link, whichever answers first
 *     waiting: the bridge was reached and asked for patience
 *
 * Invariants (model-tested):
 * - at most one step runs, but dials overlap (seek.ts); what an older step reports is ignored (`run`);
 * - while the bridge is away nothing but dials happens: a login comes after a link that is open, or not at all;
 * - `dial` always has a time for the next try, `waiting` a time to go on at, within MAX_WAIT_MS or the bridge's own retry-after;
 * - only a refusal that another try cannot change leads to `out`; everything else is tried for ever;
 * - no clock of this device ends anything: it only makes the device ask sooner.
 */
import type { ErrorCode } from '@footbridge/shared/errors'
import type { SessionAnswer } from '@footbridge/shared/login'
import { CALM_DEADLINE_MS, deadlineMs, QUICK_MS, seekFrom, seekSooner, seekTried, type Seek } from './seek.ts'

const MIN_WAIT_MS = 500
export const MAX_WAIT_MS = 30_000
/** A bridge may ask for more patience than our own back-off, but not for ever. */
export const MAX_RETRY_AFTER_MS = 10 * 60_000
/** A login is renewed when this part of its life is left. */
const RENEW_AT = 0.25
/** A reservation is asked for again when this part of its life is left. */
const REFRESH_AT = 0.5
/** Steps after an open link that may fail one after another before they are waited for: the link comes and goes. */
const MAX_HASTY_FAILURES = 3

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

interface Running {
  readonly run: number
  /** Steps that failed since the device was online, tries to dial not counted. */
  readonly attempt: number
  readonly kind: LoginKind
}

export type Supervisor =
  | { readonly state: 'out'; readonly run: number; readonly reason: ErrorCode | undefined }
  | ({ readonly state: 'login' } & Running)
  /** `code`: why the device is not reachable, for the person. */
  | ({ readonly state: 'dial'; readonly session: SessionAnswer | undefined; readonly seek: Seek; readonly code: ErrorCode } & Running)
  | ({ readonly state: 'reserve'; readonly session: SessionAnswer; readonly seek: Seek } & Running)
  | {
      readonly state: 'online'
      readonly run: number
      readonly session: SessionAnswer
      /** This device's clock. */
      readonly renewAt: number
      readonly refreshAt: number
      /** The link is silent: another is being dialled beside it. */
      readonly doubt: Seek | undefined
    }
  | {
      readonly state: 'waiting'
      readonly run: number
      readonly attempt: number
      readonly code: ErrorCode
      readonly retryAt: number
      readonly session: SessionAnswer | undefined
    }

export type SupervisorEvent =
  | { readonly type: 'start'; readonly kind: LoginKind }
  | { readonly type: 'loggedIn'; readonly run: number; readonly session: SessionAnswer }
  | { readonly type: 'dialled'; readonly run: number }
  /** `ttlMs`: how long the reservation lasts. */
  | { readonly type: 'reserved'; readonly run: number; readonly ttlMs: number }
  | { readonly type: 'failed'; readonly run: number; readonly code: ErrorCode; readonly retryAfterMs: number | undefined }
  /** The last connection to the bridge closed, or is dead. */
  | { readonly type: 'lost' }
  /** The link is silent longer than it should be. */
  | { readonly type: 'doubted' }
  /** Bytes came over it after all. */
  | { readonly type: 'heard' }
  /** A better link has been opened beside the one that was there, and that one left. */
  | { readonly type: 'moved' }
  /** The bridge is about to stop. `awayMs`: for so long at most; null: for good. */
  | { readonly type: 'draining'; readonly reconnectInMs: number; readonly awayMs: number | null }
  /** The bridge is there but no longer knows the session. */
  | { readonly type: 'sessionLost' }
  | { readonly type: 'renewed'; readonly session: SessionAnswer }
  | { readonly type: 'renewFailed'; readonly code: ErrorCode }
  | { readonly type: 'refreshed'; readonly ttlMs: number }
  | { readonly type: 'tick' }
  /** The network came back, the page is looked at again, the machine woke, or the person asked. */
  | { readonly type: 'wake' }
  /** The device's clock was set back by so much: what was due later is due now. */
  | { readonly type: 'clockSetBack' }
  | { readonly type: 'stop'; readonly reason: ErrorCode | undefined }

export type SupervisorEffect =
  | { readonly type: 'login' | 'reserve'; readonly run: number }
  /** `fresh`: beside a link that is there and doubted. */
  | { readonly type: 'dial'; readonly run: number; readonly deadlineMs: number; readonly fresh: boolean }
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

type EventOf<Type extends SupervisorEvent['type']> = Extract<SupervisorEvent, { type: Type }>
type In<State extends Supervisor['state']> = Extract<Supervisor, { state: State }>

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
      return wake(current, chance)
    case 'doubted':
    case 'heard':
    case 'moved':
    case 'draining':
    case 'sessionLost':
    case 'renewed':
    case 'renewFailed':
    case 'refreshed':
    case 'clockSetBack':
      return current.state === 'online' ? whileOnline(current, event, chance) : stay(current)
  }
}

/** When `tick` has something to do; undefined: never. */
export function nextTickAt(current: Supervisor): number | undefined {
  if (current.state === 'waiting') return current.retryAt
  if (current.state === 'dial') return current.kind === 'given' ? undefined : current.seek.tryAt
  if (current.state === 'online') return Math.min(current.renewAt, current.refreshAt, current.doubt?.tryAt ?? Infinity)
  return undefined
}

/** The running step reports its end. */
function stepEnded(current: Supervisor, event: EventOf<'loggedIn' | 'dialled' | 'reserved' | 'failed'>, chance: Chance): Step {
  if (event.type === 'failed') return failed(current, event, chance)
  if (event.type === 'loggedIn' && current.state === 'login')
    return dial({ ...current, session: event.session, code: 'unreachable', seek: seekFrom(chance.now) }, chance)
  if (event.type === 'dialled' && current.state === 'dial')
    return current.session === undefined ? login(current, current.kind, current.attempt) : reserve(current, current.session, current.seek)
  if (event.type === 'dialled' && current.state === 'online' && current.doubt !== undefined)
    return reserve({ run: current.run, attempt: 0, kind: 'device' }, current.session, current.doubt)
  if (event.type === 'reserved' && current.state === 'reserve') {
    const refreshAt = chance.now + Math.max(MAX_WAIT_MS, event.ttlMs * REFRESH_AT)
    const { session } = current
    return stay({ state: 'online', run: current.run + 1, session, renewAt: renewAt(session, chance.now), refreshAt, doubt: undefined })
  }
  return stay(current)
}

type WhileOnline = 'doubted' | 'heard' | 'moved' | 'draining' | 'sessionLost' | 'renewed' | 'renewFailed' | 'refreshed' | 'clockSetBack'

function whileOnline(current: In<'online'>, event: EventOf<WhileOnline>, chance: Chance): Step {
  const { now } = chance
  switch (event.type) {
    case 'doubted': {
      if (current.doubt !== undefined) return stay(current)
      return doubt({ ...current, run: current.run + 1 }, seekFrom(now), chance)
    }
    case 'heard':
      // A new run calls the dials off.
      return current.doubt === undefined ? stay(current) : stay({ ...current, run: current.run + 1, doubt: undefined })
    case 'moved':
      return reserve({ run: current.run, attempt: 0, kind: 'device' }, current.session, current.doubt ?? seekFrom(now))
    case 'draining': {
      // Going now leaves the bridge nothing to cut; circuits end either way.
      const startAt = now + Math.min(MAX_RETRY_AFTER_MS, event.reconnectInMs)
      const seek = event.awayMs === null ? { ...seekFrom(startAt), since: now - QUICK_MS } : seekFrom(startAt, event.awayMs)
      const next = { state: 'dial', kind: 'device', attempt: 0, session: current.session, code: 'unavailable', seek } as const
      return { next: { ...next, run: current.run + 1 }, effects: [{ type: 'hangUp' }] }
    }
    case 'sessionLost':
      return login(current, 'device', 1)
    case 'renewed':
      return stay({ ...current, session: event.session, renewAt: renewAt(event.session, now) })
    case 'renewFailed':
      return FINAL.has(event.code) ? out(current, event.code) : stay({ ...current, renewAt: now + MAX_WAIT_MS })
    case 'refreshed':
      return stay({ ...current, refreshAt: now + Math.max(MAX_WAIT_MS, event.ttlMs * REFRESH_AT) })
    case 'clockSetBack':
      return tick({ ...current, renewAt: now, refreshAt: now }, chance)
  }
}

function lost(current: Supervisor, chance: Chance): Step {
  if (current.state === 'online') {
    const seek = current.doubt ?? seekFrom(chance.now)
    return dial({ run: current.run, attempt: 0, kind: 'device', session: current.session, code: 'unreachable', seek }, chance)
  }
  // While dialling, a closing connection is one that the dial replaces; while reserving, the one that it needs.
  return current.state === 'reserve' ? stumbled(current, current.session, 'unreachable', undefined, chance) : stay(current)
}

function wake(current: Supervisor, chance: Chance): Step {
  switch (current.state) {
    case 'dial':
      return tick({ ...current, seek: seekSooner(current.seek, chance.now) }, chance)
    case 'waiting':
      return dial(afterWaiting(current, chance.now), chance)
    case 'online':
      return { next: current, effects: [{ type: 'checkLink' }] }
    default:
      return stay(current)
  }
}

function tick(current: Supervisor, chance: Chance): Step {
  const { now } = chance
  if (current.state === 'waiting') return now >= current.retryAt ? dial(afterWaiting(current, now), chance) : stay(current)
  if (current.state === 'dial') return current.kind === 'device' && now >= current.seek.tryAt ? tryDial(current, chance) : stay(current)
  if (current.state !== 'online') return stay(current)
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
  if (current.doubt === undefined || now < current.doubt.tryAt) return { next, effects }
  const doubted = doubt(next, current.doubt, chance)
  return { next: doubted.next, effects: [...effects, ...doubted.effects] }
}

function failed(current: Supervisor, event: EventOf<'failed'>, chance: Chance): Step {
  const { code, retryAfterMs } = event
  switch (current.state) {
    case 'login':
      if (current.kind === 'given' || FINAL.has(code)) return out(current, code)
      return stumbled(current, undefined, code, retryAfterMs, chance)
    case 'dial':
      if (current.kind === 'given') return out(current, code)
      // Another peer stands at the address: only a login finds out who.
      if (code === 'not_a_bridge' && current.attempt < MAX_HASTY_FAILURES) return login(current, 'device', current.attempt + 1)
      return stay({ ...current, code })
    case 'reserve':
      if (current.kind === 'given') return out(current, code)
      // A refused reservation means that the bridge forgot the session, as a restarted one does: log in, once at once.
      if (code === 'unauthorized' && current.attempt === 0) return login(current, 'device', 1)
      return stumbled(current, code === 'unauthorized' ? undefined : current.session, code, retryAfterMs, chance)
    default:
      return stay(current)
  }
}

/** A step after the dial failed. The link has gone: seek it again. It is there: have patience. */
function stumbled(
  current: In<'login' | 'reserve'>,
  session: SessionAnswer | undefined,
  code: ErrorCode,
  retryAfterMs: number | undefined,
  { now, random }: Chance,
): Step {
  const run = current.run + 1
  const attempt = current.attempt + 1
  // `unavailable`: it is stopping or starting, which takes a moment.
  const isAway = code === 'unreachable' || code === 'timeout' || (code === 'unavailable' && retryAfterMs === undefined)
  if (isAway && attempt <= MAX_HASTY_FAILURES) {
    const seek = seekTried('seek' in current ? current.seek : seekFrom(now), now, random)
    return stay({ state: 'dial', run, attempt, kind: 'device', session, code, seek })
  }
  const backOffMs = Math.min(MAX_WAIT_MS, MIN_WAIT_MS * 2 ** Math.min(10, current.attempt))
  // Jitter spreads the tabs that a restarted bridge lost at one moment.
  const waitMs = Math.max(backOffMs * (0.5 + random / 2), Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS))
  return stay({ state: 'waiting', run, attempt, code, retryAt: now + waitMs, session })
}

function afterWaiting({ run, attempt, code, session }: In<'waiting'>, now: number): Omit<In<'dial'>, 'state'> {
  return { run, attempt, kind: 'device', session, code, seek: seekFrom(now) }
}

function out(current: Supervisor, reason: ErrorCode | undefined): Step {
  return { next: { state: 'out', run: current.run + 1, reason }, effects: [{ type: 'hangUp' }] }
}

function login(current: Supervisor, kind: LoginKind, attempt: number): Step {
  const run = current.run + 1
  return { next: { state: 'login', run, attempt, kind }, effects: [{ type: 'login', run }] }
}

function reserve({ run: before, attempt, kind }: Running, session: SessionAnswer, seek: Seek): Step {
  const run = before + 1
  return { next: { state: 'reserve', run, attempt, kind, session, seek }, effects: [{ type: 'reserve', run }] }
}

/** Begins a new run of dials. */
function dial(begun: Omit<In<'dial'>, 'state'>, chance: Chance): Step {
  return tryDial({ ...begun, state: 'dial', run: begun.run + 1 }, chance)
}

function tryDial(current: In<'dial'>, { now, random }: Chance): Step {
  const timeMs = current.kind === 'given' ? CALM_DEADLINE_MS : deadlineMs(current.seek)
  const effect: SupervisorEffect = { type: 'dial', run: current.run, deadlineMs: timeMs, fresh: false }
  return { next: { ...current, seek: seekTried(current.seek, now, random) }, effects: [effect] }
}

function doubt(current: In<'online'>, seek: Seek, { now, random }: Chance): Step {
  const effect: SupervisorEffect = { type: 'dial', run: current.run, deadlineMs: deadlineMs(seek), fresh: true }
  return { next: { ...current, doubt: seekTried(seek, now, random) }, effects: [effect] }
}

function stay(next: Supervisor): Step {
  return { next, effects: [] }
}

function renewAt(session: SessionAnswer, now: number): number {
  return now + Math.max(MAX_WAIT_MS, (session.expiresAt - session.serverTime) * (1 - RENEW_AT))
}
