/**
 * Who gets a STUN answer. Anybody can write anybody's address on a packet, so a server that answers more than it was asked is a weapon; and browsers ask
 * with 20 bytes for an answer of 32. So bytes are counted: no address is ever sent more than came from it.
 *
 *     request from a, 20 bytes      credit of a: 20                 no answer yet
 *     request from a, 20 bytes      credit of a: 40 - 32 = 8        answered
 *
 * Both UDP ports count together, and browsers ask both at once: the second request earns the first answer, a retransmission the next one. Whoever logs in from an
 * address has sent far more than STUN_LOGIN_CREDIT_BYTES from it, by TCP, where addresses are not forged: for them there is nothing to wait for.
 * Beside it, rates: for each network (IPv4 /24, IPv6 /48) and in all. Reasons and measurements: docs/decisions.
 * Not here: what is answered (message.ts).
 */
import { addressKey } from '@footbridge/listeners/websocket/address-key'
import {
  STUN_BURST_IN_ALL,
  STUN_BURST_PER_NETWORK,
  STUN_LOGIN_CREDIT_BYTES,
  STUN_MAX_ADDRESSES,
  STUN_MAX_CREDIT_BYTES,
  STUN_MAX_NETWORKS,
  STUN_PER_SECOND_AND_NETWORK,
  STUN_PER_SECOND_IN_ALL,
} from '../limits.ts'

export interface Allowance {
  /** Counts what came. False: too much of late, do nothing with it. */
  receive(address: string, bytes: number): boolean
  /** Whether so many bytes may be sent there; then they count as sent. */
  spend(address: string, bytes: number): boolean
  /** Somebody at this address has proved that they are there. */
  vouch(address: string): void
  /** Addresses and networks remembered. */
  readonly size: { readonly addresses: number; readonly networks: number }
}

interface Bucket {
  level: number
  at: number
}

/** @param now in milliseconds; how far it goes counts, not where it stands. */
export function createAllowance({ now }: { readonly now: () => number }): Allowance {
  /** By exact address, the least recently used first. */
  const credits = new Map<string, number>()
  const networks = new Map<string, Bucket>()
  const all: Bucket = { level: STUN_BURST_IN_ALL, at: now() }

  const credit = (address: string, bytes: number): void => {
    const present = credits.get(address) ?? 0
    remember(credits, address, Math.min(STUN_MAX_CREDIT_BYTES, present + bytes), STUN_MAX_ADDRESSES)
  }

  const take = (bucket: Bucket, perSecond: number, burst: number): boolean => {
    const at = now()
    bucket.level = Math.min(burst, bucket.level + (Math.max(0, at - bucket.at) / 1_000) * perSecond)
    bucket.at = at
    if (bucket.level < 1) return false
    bucket.level -= 1
    return true
  }

  return {
    receive(address, bytes) {
      const key = networkOf(address)
      const network = networks.get(key) ?? { level: STUN_BURST_PER_NETWORK, at: now() }
      remember(networks, key, network, STUN_MAX_NETWORKS)
      // One network that asks too much takes nothing from what all have.
      if (!take(network, STUN_PER_SECOND_AND_NETWORK, STUN_BURST_PER_NETWORK)) return false
      if (!take(all, STUN_PER_SECOND_IN_ALL, STUN_BURST_IN_ALL)) return false
      credit(plain(address), bytes)
      return true
    },
    spend(address, bytes) {
      const key = plain(address)
      const present = credits.get(key) ?? 0
      if (present < bytes) return false
      if (present === bytes) credits.delete(key)
      else credits.set(key, present - bytes)
      return true
    },
    vouch(address) {
      credit(plain(address), STUN_LOGIN_CREDIT_BYTES)
    },
    get size() {
      return { addresses: credits.size, networks: networks.size }
    },
  }
}

/** As the newest; the oldest gives way. */
function remember<Value>(map: Map<string, Value>, key: string, value: Value, max: number): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= max) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}

/** IPv4 that arrived on an IPv6 socket is IPv4. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : (address.split('%')[0] ?? '')
}

/** What one customer of a provider gets or can easily have. */
function networkOf(address: string): string {
  const key = addressKey(address)
  return key
    .split(key.includes(':') ? ':' : '.')
    .slice(0, 3)
    .join(':')
}
