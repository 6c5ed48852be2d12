import type { MultiaddrConnection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, it } from 'vitest'
import { createConnectionCap } from './connection-cap.ts'

const connection = (address: string) =>
  Object.assign(new EventTarget(), { remoteAddr: multiaddr(address) }) as unknown as MultiaddrConnection

describe('the cap on native connections', () => {
  it('refuses an address one connection too many, and lets it in again when one has closed', () => {
    const cap = createConnectionCap({ maxPerAddress: 2 })
    const first = connection('/ip4/192.0.2.1/tcp/4711')
    expect([first, connection('/ip4/192.0.2.1/tcp/4712'), connection('/ip4/192.0.2.1/tcp/4713')].map((each) => cap.admits(each))).toEqual([
      true,
      true,
      false,
    ])
    expect(cap.admits(connection('/ip4/192.0.2.2/tcp/4711'))).toBe(true)
    first.dispatchEvent(new Event('close'))
    first.dispatchEvent(new Event('close'))
    expect([connection('/ip4/192.0.2.1/tcp/4714'), connection('/ip4/192.0.2.1/tcp/4715')].map((each) => cap.admits(each))).toEqual([
      true,
      false,
    ])
  })

  it('does not count a connection that it refused', () => {
    const cap = createConnectionCap({ maxPerAddress: 1 })
    const first = connection('/ip4/192.0.2.1/tcp/4711')
    const refused = connection('/ip4/192.0.2.1/tcp/4712')
    expect([cap.admits(first), cap.admits(refused)]).toEqual([true, false])
    refused.dispatchEvent(new Event('close'))
    expect(cap.admits(connection('/ip4/192.0.2.1/tcp/4713'))).toBe(false)
  })

  it.each([
    ['/ip6/2001:db8::1/tcp/1', '/ip6/2001:db8::2/tcp/1', false, 'one /64 is one household'],
    ['/ip6/2001:db8::1/tcp/1', '/ip6/2001:db8:0:1::1/tcp/1', true, 'another /64'],
    ['/ip4/192.0.2.1/tcp/1', '/ip6/::ffff:192.0.2.1/tcp/1', false, 'IPv4 in IPv6'],
    ['/ip4/127.0.0.1/tcp/1', '/ip4/127.0.0.1/tcp/2', true, 'loopback: a tunnel'],
    ['/ip6/::1/tcp/1', '/ip6/::1/tcp/2', true, 'loopback, IPv6'],
    ['/ip4/192.0.2.1/tcp/1/ws', '/ip4/192.0.2.1/tcp/2/ws', true, 'WebSockets have their own cap'],
  ])('with room for one, after %s lets %s in: %s (%s)', (first, second, admitted) => {
    const cap = createConnectionCap({ maxPerAddress: 1 })
    expect(cap.admits(connection(first))).toBe(true)
    expect(cap.admits(connection(second))).toBe(admitted)
  })
})
