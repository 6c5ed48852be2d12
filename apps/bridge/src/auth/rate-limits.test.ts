import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GUEST_POINTS_PER_ADDRESS, LOGIN_POINTS_PER_TOKEN } from '../limits.ts'
import { createRateLimits, networkOf } from './rate-limits.ts'

describe('an address’s network', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7', 'one IPv4 address is one household'],
    ['::ffff:192.0.2.7', '192.0.2.7', 'a dual-stack socket writes IPv4 so'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', 'one /64 is one household'],
    ['2001:0DB8:0001:0002::6', '2001:db8:1:2::/64', 'the same, written otherwise'],
    ['::1', '0:0:0:0::/64', 'loopback'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64', 'the zone is not part of it'],
    ['not an address', 'not an address', 'whatever it is, it is one key'],
  ])('of %s is %s: %s', (ip, network) => {
    expect(networkOf(ip)).toBe(network)
  })

  it('is the same for all addresses of a /64 and differs between two', () => {
    fc.assert(
      fc.property(fc.ipV6(), (ip) => {
        if (ip.includes('.')) return
        const groups = networkOf(ip).replace('::/64', '').split(':')
        expect(groups).toHaveLength(4)
        expect(networkOf(`${groups.join(':')}:1:2:3:4`)).toBe(networkOf(ip))
      }),
    )
  })
})

describe('attempts', () => {
  it('of new guests from one /64 are limited together', async () => {
    const limits = createRateLimits({ randomBytes })
    for (let attempt = 0; attempt < GUEST_POINTS_PER_ADDRESS; attempt++) await limits.guestFrom(`2001:db8::${attempt.toString(16)}`)
    await expect(limits.guestFrom('2001:db8::ffff')).rejects.toMatchObject({ code: 'rate_limited' })
    await limits.guestFrom('2001:db8:0:1::1')
  })

  it('with one token are limited wherever they come from, and say when to try again', async () => {
    const limits = createRateLimits({ randomBytes })
    for (let attempt = 0; attempt < LOGIN_POINTS_PER_TOKEN; attempt++) await limits.loginWith('hash')
    const refused = await limits.loginWith('hash').catch((error: unknown) => error)
    expect(refused).toMatchObject({ code: 'rate_limited', details: { retryAfterSeconds: expect.any(Number) } })
    await limits.loginWith('another hash')
  })
})
