/**
 * The log that a person can read on the Connection page: the last 200 lines, in plain words, never a secret.
 */
import type { LogEntry, Readable } from './api.ts'
import { writable } from './observable.ts'

const MAX_LINES = 200

export interface Log {
  readonly lines: Readable<readonly LogEntry[]>
  /** Shows another tab's lines from now on. */
  show(lines: readonly LogEntry[]): void
  info(text: string): void
  warn(text: string): void
}

export function createLog(now: () => number): Log {
  const lines = writable<readonly LogEntry[]>([])
  const add = (level: LogEntry['level'], text: string): void => lines.set([...lines.get(), { at: now(), level, text }].slice(-MAX_LINES))
  return { lines, show: (others) => lines.set(others), info: (text) => add('info', text), warn: (text) => add('warn', text) }
}
