/**
 * What counts as "one address" for a cap: an IPv4 address as it is, an IPv6 address by its /64, because a household or a single phone has a whole /64.
 */
import { isIPv6 } from 'node:net'

/** @param address as node:net gives it; anything that is not an IP address is its own key. */
export function addressKey(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped?.[1] !== undefined) return mapped[1]
  if (!isIPv6(address)) return address
  const [head = '', tail] = (address.split('%')[0] ?? '').toLowerCase().split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups =
    tail === undefined ? before : [...before, ...Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0'), ...after]
  const numbers = groups.map((group) => Number.parseInt(group, 16))
  const [high = 0, low = 0] = numbers.slice(6)
  // Multiaddrs write an IPv4 address in IPv6 this way: ::ffff:c000:201.
  if (numbers.slice(0, 6).join() === '0,0,0,0,0,65535') return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
  return `${numbers
    .slice(0, 4)
    .map((number) => number.toString(16))
    .join(':')}::/64`
}
