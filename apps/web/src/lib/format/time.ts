/** Times in words: relative up to a day, then dates. The present is an argument, so that a list of times changes together. */
import { m } from '../paraglide/messages.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** "just now", "12 min ago", "3 h ago", then the date. Times ahead of `now` (clocks differ) are "just now". */
export function formatAgo(at: number, now: number): string {
  const age = now - at
  if (age < MINUTE_MS) return m.time_just_now()
  if (age < HOUR_MS) return m.time_minutes_ago({ count: Math.floor(age / MINUTE_MS) })
  if (age < DAY_MS) return m.time_hours_ago({ count: Math.floor(age / HOUR_MS) })
  return formatDate(at, now)
}

/** How long somebody has been here: "just arrived", "here 12 min", "here 3 h", then since which date. */
export function formatHere(since: number, now: number): string {
  const age = now - since
  if (age < MINUTE_MS) return m.here_just()
  if (age < HOUR_MS) return m.here_minutes({ count: Math.floor(age / MINUTE_MS) })
  if (age < DAY_MS) return m.here_hours({ count: Math.floor(age / HOUR_MS) })
  return m.here_since({ date: formatDate(since, now) })
}

/** Hours and minutes as this device writes them. */
export function formatClock(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
}

/** "20 November", with the year only when it is another one. */
export function formatDate(at: number, now: number): string {
  const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear()
  return new Date(at).toLocaleDateString('en-GB', { day: 'numeric', month: 'long', ...(sameYear ? {} : { year: 'numeric' }) })
}

/** The line between two days of a conversation. */
export function formatDay(at: number, now: number): string {
  const days = Math.round((startOfDay(now) - startOfDay(at)) / DAY_MS)
  if (days === 0) return m.time_today()
  return days === 1 ? m.time_yesterday() : formatDate(at, now)
}

/** For the end of a row: the clock today, then the day. */
export function formatShort(at: number, now: number): string {
  if (startOfDay(at) === startOfDay(now)) return formatClock(at)
  return new Date(at).toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })
}

export function startOfDay(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0)
}

/** A round trip: whole milliseconds, or undefined words while nothing is measured. */
export function formatRoundTrip(ms: number | undefined): string {
  return ms === undefined ? m.round_trip_unknown() : m.round_trip({ ms: Math.max(1, Math.round(ms)) })
}

/** How long a step took: "84 ms", "1.2 s". */
export function formatDuration(ms: number): string {
  return ms < 1000 ? m.round_trip({ ms: Math.max(1, Math.round(ms)) }) : m.seconds({ count: (ms / 1000).toFixed(1) })
}

/** Whole seconds until `at`, never below zero. */
export function secondsUntil(at: number, now: number): number {
  return Math.max(0, Math.ceil((at - now) / 1000))
}
