import { describe, expect, it } from 'vitest'
import { addressKey } from './address-key.ts'

describe('the key of an address', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1', 'IPv4 as it is'],
    ['::ffff:192.0.2.1', '192.0.2.1', 'IPv4 in IPv6 is IPv4'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', 'IPv6 by its /64'],
    ['2001:0DB8:1:2::9', '2001:db8:1:2::/64', 'however it is written'],
    ['2001:db8::1', '2001:db8:0:0::/64', 'zeros filled in'],
    ['::1', '0:0:0:0::/64', 'loopback'],
    ['::ffff:c000:201', '192.0.2.1', 'IPv4 in IPv6 as multiaddrs write it'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64', 'without the zone'],
    ['', '', 'unknown stays unknown'],
  ])('%s is %s: %s', (address, key) => {
    expect(addressKey(address)).toBe(key)
  })
})
