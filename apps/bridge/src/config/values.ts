/**
 * How the text of a setting becomes a value, for kinds that several settings have. Each throws the reason alone: "must be …".
 * Not here: addresses of libp2p (multiaddrs.ts), and what one setting alone takes, which is beside it.
 */
import { isIP } from 'node:net'

export function nonEmpty(text: string): string {
  if (text.trim() === '') throw new Error('must not be empty')
  return text
}

export function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new Error('must be a whole number from 0 to 65535')
  return port
}

export function parseSwitch(text: string): boolean {
  if (['true', '1', 'yes', 'on'].includes(text)) return true
  if (['false', '0', 'no', 'off'].includes(text)) return false
  throw new Error('must be true or false')
}

export function parseList<Value>(text: string, parseItem: (item: string) => Value): Value[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
    .map(parseItem)
}

export function parseNames(text: string, most: number, parse: (item: string) => string): string[] {
  const names = [...new Set(parseList(text, parse))]
  if (names.length === 0) throw new Error('must not be empty')
  if (names.length > most) throw new Error(`lists ${names.length}; ${most} are the most`)
  return names
}

export function parseAddressRange(text: string): string {
  const [address, prefix, ...rest] = text.split('/')
  const version = isIP(address ?? '')
  const bits = version === 4 ? 32 : 128
  const fits = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits)
  if (version === 0 || rest.length > 0 || !fits)
    throw new Error(`must list IP addresses or CIDR ranges; ${JSON.stringify(text)} is neither`)
  return text
}

export function isLoopback(host: string): boolean {
  return host.startsWith('127.') || host === '::1'
}
