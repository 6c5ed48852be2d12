/** Sizes and rates in words: bytes, KB, MB, GB by thousands, as file managers and shops count. */
import { m } from '../paraglide/messages.js'

const STEPS = [
  [1e9, 'GB'],
  [1e6, 'MB'],
  [1e3, 'KB'],
] as const

/** @param bytes 0 or more. `1 536` gives "1.5 KB". */
export function formatSize(bytes: number): string {
  for (const [step, unit] of STEPS) if (bytes >= step) return `${shorten(bytes / step)} ${unit}`
  return m.size_bytes({ count: Math.round(bytes) })
}

/** Rates are always in MB/s, so that two of them can be compared at a glance. */
export function formatRate(bytesPerSecond: number): string {
  const rate = bytesPerSecond / 1e6
  return `${rate < 0.1 ? rate.toFixed(2) : shorten(rate)} MB/s`
}

/** Two figures below ten, whole numbers from there on. */
function shorten(value: number): string {
  return value < 9.95 ? value.toFixed(1).replace(/\.0$/, '') : String(Math.round(value))
}
