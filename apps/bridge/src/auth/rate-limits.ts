/**
 * How often an address or a token may try. Keys go through a keyed hash into a fixed number of buckets: memory is bounded however many addresses
 * try, nobody can choose whom they share a bucket with, and no address is kept.
 * Not here: bytes per second (relay) and bytes per day (budgets.ts).
 */
import { createHmac } from 'node:crypto'
import { isIP } from 'node:net'
import { FootbridgeError } from '@footbridge/shared/errors'
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible'
import {
  GUEST_POINTS_PER_ADDRESS,
  GUEST_WINDOW_SECONDS,
  LOGIN_POINTS_PER_ADDRESS,
  LOGIN_POINTS_PER_TOKEN,
  LOGIN_REFUSAL_POINTS,
  LOGIN_WINDOW_SECONDS,
  RATE_LIMIT_BUCKETS,
} from '../limits.ts'

export interface RateLimits {
  /** Each throws FootbridgeError `rate_limited` with retryAfterSeconds when too many came before. */
  loginFrom(ip: string): Promise<void>
  /** A refused login costs more than one that worked. Never throws. */
  loginRefused(ip: string): Promise<void>
  loginWith(tokenHash: string): Promise<void>
  guestFrom(ip: string): Promise<void>
}

export interface RateLimitsDependencies {
  readonly randomBytes: (length: number) => Uint8Array
}

export function createRateLimits({ randomBytes }: RateLimitsDependencies): RateLimits {
  const secret = randomBytes(16)
  const bucketOf = (key: string): string => String(createHmac('sha256', secret).update(key).digest().readUInt32BE(0) % RATE_LIMIT_BUCKETS)

  const limiter = (points: number, duration: number): RateLimiterMemory => new RateLimiterMemory({ points, duration })
  const loginsByAddress = limiter(LOGIN_POINTS_PER_ADDRESS, LOGIN_WINDOW_SECONDS)
  const loginsByToken = limiter(LOGIN_POINTS_PER_TOKEN, LOGIN_WINDOW_SECONDS)
  const guestsByAddress = limiter(GUEST_POINTS_PER_ADDRESS, GUEST_WINDOW_SECONDS)

  return {
    loginFrom: (ip) => consume(loginsByAddress, bucketOf(networkOf(ip))),
    async loginRefused(ip) {
      await loginsByAddress.penalty(bucketOf(networkOf(ip)), LOGIN_REFUSAL_POINTS - 1)
    },
    loginWith: (tokenHash) => consume(loginsByToken, bucketOf(tokenHash)),
    guestFrom: (ip) => consume(guestsByAddress, bucketOf(networkOf(ip))),
  }
}

async function consume(limiter: RateLimiterMemory, key: string): Promise<void> {
  try {
    await limiter.consume(key)
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal
    const retryAfterSeconds = Math.max(1, Math.ceil(refusal.msBeforeNext / 1_000))
    throw new FootbridgeError('rate_limited', `too many attempts: try again in ${retryAfterSeconds} s`, { details: { retryAfterSeconds } })
  }
}

/** What one household has: an IPv4 address, or an IPv6 /64, within which anybody has as many addresses as they like. */
export function networkOf(ip: string): string {
  const bare = ip.split('%')[0] ?? ''
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)
  if (mapped?.[1] !== undefined) return mapped[1]
  if (isIP(bare) !== 6) return bare
  const [head = '', tail] = bare.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups = tail === undefined ? before : [...before, ...Array.from({ length: 8 - before.length - after.length }, () => '0'), ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
