/** What the bridge tells of limits, cuts, restarts and clocks, in sentences. Not here: when each is told (packages/client/src/notices.ts). */
import type { BridgeNotices, Held } from '@footbridge/client/api'
import type { EndingReason, LimitName, LimitScope } from '@footbridge/shared/wire/control-frame'
import { formatClock, formatDate, secondsUntil, startOfDay } from '../format/time.ts'
import { m } from '../paraglide/messages.js'

/** Below this nobody notices: timestamps are shown in minutes. */
const SKEW_SHOWN_MS = 30_000

const LIMITS: Record<LimitName, () => string> = {
  reservations: () => m.held_reservations(),
  circuits: () => m.held_circuits(),
  circuit_rate: () => m.held_circuit_rate(),
  bytes_per_second: () => m.held_bytes_per_second(),
  bytes_per_day: () => m.held_bytes_per_day(),
  other: () => m.held_other(),
}

const SCOPES: Record<LimitScope, () => string> = {
  token: () => m.held_scope_token(),
  peer: () => m.held_scope_peer(),
  address: () => m.held_scope_address(),
  bridge: () => m.held_scope_bridge(),
  other: () => m.held_scope_other(),
}

const REASONS: Record<EndingReason, () => string> = {
  bytes_per_day: () => m.ending_bytes_per_day(),
  circuit_bytes: () => m.ending_circuit_bytes(),
  duration: () => m.ending_duration(),
  session_ended: () => m.ending_session_ended(),
  peer: () => m.ending_peer(),
  draining: () => m.ending_draining(),
  stalled: () => m.ending_stalled(),
  other: () => m.ending_other(),
}

/** With whose limit it is. */
export function heldWords({ limit, scope, until }: Held, now: number): string {
  const words = { what: LIMITS[limit](), scope: SCOPES[scope]() }
  return until === undefined ? m.held_open(words) : m.held_until({ ...words, time: timeOf(until, now) })
}

/** For a line over the pages. */
export function heldShortly({ limit, until }: Held, now: number): string {
  const what = LIMITS[limit]()
  return until === undefined ? m.held_short_open({ what }) : m.held_short_until({ what, time: timeOf(until, now) })
}

function timeOf(at: number, now: number): string {
  return startOfDay(at) === startOfDay(now) ? formatClock(at) : `${formatDate(at, now)}, ${formatClock(at)}`
}

export function endingWords({ reason, at }: BridgeNotices['ending'][number], name: string, now: number): string {
  const why = REASONS[reason]()
  return at > now
    ? m.ending_ahead({ name, count: secondsUntil(at, now), reason: why })
    : m.ending_past({ name, time: formatClock(at), reason: why })
}

export function drainingWords({ reconnectAt, backBy }: NonNullable<BridgeNotices['draining']>, now: number): string {
  if (backBy === undefined) return m.trouble_closes()
  const count = secondsUntil(reconnectAt, now)
  return count === 0 ? m.trouble_restarts_now() : m.trouble_restarts({ count })
}

/** @param skewMs how far the bridge's clock is ahead of this device's. */
export function clockWords(skewMs: number): string {
  const offMs = Math.abs(skewMs)
  if (offMs < SKEW_SHOWN_MS) return m.clock_right({ count: Math.max(1, Math.ceil(offMs / 1000)) })
  return skewMs > 0 ? m.clock_behind({ amount: amountOf(offMs) }) : m.clock_ahead({ amount: amountOf(offMs) })
}

function amountOf(ms: number): string {
  if (ms < 2 * 60_000) return m.clock_seconds({ count: Math.round(ms / 1000) })
  if (ms < 2 * 3_600_000) return m.clock_minutes({ count: Math.round(ms / 60_000) })
  return m.clock_hours({ count: Math.round(ms / 3_600_000) })
}
