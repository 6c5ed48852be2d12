/**
 * Amounts as an operator writes and reads them: bytes, rates, counts, ends. Decimal units, as networks count: 1 MB is 1 000 000 bytes.
 * Every parser throws an Error whose message says what is expected; the caller names the option.
 */
const BYTE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
}

const DAY_MS = 24 * 60 * 60_000
const DURATION_UNITS: Readonly<Record<string, number>> = { h: DAY_MS / 24, d: DAY_MS, w: 7 * DAY_MS, y: 365 * DAY_MS }

/** `1GB`, `500 MB`, `1.5GiB`, `none`. */
export function parseBytes(text: string): number | null {
  return parseAmount(text, 'an amount such as 500MB, 1GB or 1GiB, or none')
}

/** `2MB/s`, or without the `/s`; `none`. Bytes, not bits. */
export function parseRate(text: string): number | null {
  if (/\d\s*(k|m|g|t)?bit/i.test(text) || /bps$/i.test(text)) throw new Error('must be in bytes, not bits: 2MB/s is 16 Mbit/s')
  return parseAmount(text.replace(/\s*\/\s*s$/i, ''), 'a rate such as 500kB/s or 2MB/s, or none')
}

function parseAmount(text: string, expected: string): number | null {
  if (isNone(text)) return null
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? []
  const factor = BYTE_UNITS[unit.toLowerCase()]
  const bytes = Math.round(Number(amount) * (factor ?? Number.NaN))
  if (!Number.isSafeInteger(bytes)) throw new Error(`must be ${expected}`)
  if (bytes < 1) throw new Error('must be more than nothing; to end a token use token revoke')
  return bytes
}

/** `5`, `none`. */
export function parseCount(text: string): number | null {
  if (isNone(text)) return null
  const count = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count) || count < 1) throw new Error('must be a whole number from 1, or none')
  return count
}

/** `30d`, `12h`, `2w`, `1y`; `2026-12-31` (the end of that day, local time) or a full ISO 8601 time; `never`. */
export function parseExpiry(text: string, now: number): number | null {
  if (isNone(text)) return null
  const [, amount, unit = ''] = /^(\d+)\s*([hdwy])$/i.exec(text.trim()) ?? []
  const expiresAt =
    amount === undefined ? parseDate(text.trim()) : now + Number(amount) * (DURATION_UNITS[unit.toLowerCase()] ?? Number.NaN)
  // Beyond this JavaScript has no dates.
  if (!(expiresAt <= 8.64e15)) throw new Error('must be 12h, 30d, 2w, 1y, a date such as 2026-12-31, or never')
  if (expiresAt <= now) throw new Error('must be in the future')
  return expiresAt
}

function parseDate(text: string): number {
  const [, year, month, day] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text) ?? []
  if (year === undefined) return /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/.test(text) ? Date.parse(text) : Number.NaN
  const start = new Date(Number(year), Number(month) - 1, Number(day))
  // 2026-02-31 would quietly become the third of March.
  if (start.getMonth() !== Number(month) - 1 || start.getDate() !== Number(day)) return Number.NaN
  return new Date(Number(year), Number(month) - 1, Number(day) + 1).getTime() - 1
}

function isNone(text: string): boolean {
  return ['none', 'never', 'unlimited'].includes(text.trim().toLowerCase())
}

/** `0 B`, `1.5 GB`; three figures at most, and `parseBytes` reads it back within what was rounded off. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let amount = bytes
  let index = 0
  while (amount >= 999.5 && index < units.length - 1) {
    amount /= 1_000
    index++
  }
  return `${index === 0 ? amount : Number(amount.toPrecision(3))} ${units[index]}`
}

/** `2026-12-31 23:59`, local time. */
export function formatTime(time: number): string {
  const date = new Date(time)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`
}

/** `12 s`, `3 min`, `5 h`, `2 d`: how long something has lasted. */
export function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`
  return `${Math.floor(seconds / 86_400)} d`
}
