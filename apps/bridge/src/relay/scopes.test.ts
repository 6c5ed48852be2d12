import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, it } from 'vitest'
import { byteRateClaims, circuitRateClaims, networkOf, scopesOfCircuit, scopesOfReservation, UNLIMITED, type End } from './scopes.ts'
import { openPolicy } from './test-policy.ts'

const ALICE = '12D3KooWPv5kgSCDRk7cFUCpzvw82YUyMkVQCfmfqyRb2jBmzumb'
const alice: End = { peer: 'alice', address: '192.0.2.0/24' }
const bob: End = { peer: 'bob', address: '198.51.100.0/24' }
const keys = (scopes: readonly { key: string }[]): string[] => scopes.map(({ key }) => key)
const tokens = (byPeer: Record<string, string>) =>
  openPolicy({
    tokenOf: (peer) => {
      const id = byPeer[peer]
      return id === undefined ? undefined : { id, limits: UNLIMITED }
    },
  })

describe('who pays', () => {
  it('for a circuit are the tokens and peers of both ends, the address of the one that asked, and the bridge', () => {
    const scopes = scopesOfCircuit(alice, bob, tokens({ alice: 't_1', bob: 't_2' }))
    expect(keys(scopes)).toEqual(['token:t_1', 'token:t_2', 'peer:alice', 'peer:bob', 'address:192.0.2.0/24', 'bridge:'])
    expect(scopes.map(({ peers }) => peers.join())).toEqual(['alice', 'bob', 'alice', 'bob', 'alice', 'alice,bob'])
  })

  it('for a circuit between two devices of one token is that token once', () => {
    const scopes = scopesOfCircuit(alice, bob, tokens({ alice: 't_1', bob: 't_1' }))
    expect(keys(scopes).filter((key) => key.startsWith('token'))).toEqual(['token:t_1'])
    expect(scopes[0]?.peers).toEqual(['alice', 'bob'])
  })

  it('for a visitor without a token is their peer, their address, and the bridge', () => {
    expect(keys(scopesOfCircuit(alice, bob, tokens({ bob: 't_2' })))).toEqual([
      'token:t_2',
      'peer:alice',
      'peer:bob',
      'address:192.0.2.0/24',
      'bridge:',
    ])
  })

  it('for a reservation are token, address and bridge; and no address where it says nothing', () => {
    expect(keys(scopesOfReservation(alice, tokens({ alice: 't_1' })))).toEqual(['token:t_1', 'address:192.0.2.0/24', 'bridge:'])
    expect(keys(scopesOfReservation({ ...alice, address: undefined }, tokens({})))).toEqual(['bridge:'])
  })
})

describe('the network of a connection', () => {
  it.each<[string, string | undefined, string]>([
    ['/ip4/192.0.2.77/tcp/4711', '192.0.2.0/24', 'TCP'],
    ['/ip4/192.0.2.78/tcp/4711/ws', '192.0.2.0/24', 'a neighbour over WebSocket'],
    ['/ip6/2001:db8:1:2::3/tcp/1', '2001:db8:1::/48', 'IPv6'],
    ['/ip6/2001:db8:1:ffff::3/udp/1/quic-v1', '2001:db8:1::/48', 'another /64 of it'],
    ['/ip6/::ffff:192.0.2.5/tcp/1', '192.0.2.0/24', 'IPv4 in IPv6'],
    [`/ip4/192.0.2.79/tcp/1/http/p2p/${ALICE}`, '192.0.2.0/24', 'the HTTPS tunnel'],
    ['/ip4/127.0.0.1/tcp/1', undefined, 'loopback: proxies and tunnels'],
    ['/ip4/127.1.2.3/tcp/1/ws', undefined, 'loopback'],
    ['/ip6/::1/tcp/1', undefined, 'loopback'],
    ['/ip6/::ffff:127.0.0.1/tcp/1', undefined, 'loopback'],
    ['/memory/1', undefined, 'no address at all'],
  ])('%s counts for %s (%s)', (address, network) => {
    expect(networkOf({ remoteAddr: multiaddr(address) })).toBe(network)
  })
})

it('lets a quarter of a minute’s circuits come at once and half a second’s bytes go at once, and never less than one of them', () => {
  const bridge = { ...UNLIMITED, circuitsPerMinute: 120, bytesPerSecond: 1_000_000 }
  const policy = openPolicy({
    limits: () => ({ peer: { ...UNLIMITED, circuitsPerMinute: 1, bytesPerSecond: 10 }, address: UNLIMITED, bridge }),
  })
  const scopes = scopesOfCircuit(alice, bob, policy)
  const rates = ({ perSecond, burst }: { perSecond: number; burst: number }): number[] => [perSecond, burst]
  expect(circuitRateClaims(scopes).map(rates)).toEqual([
    [1 / 60, 1],
    [1 / 60, 1],
    [2, 30],
  ])
  expect(byteRateClaims(scopes).map(rates)).toEqual([
    [10, 65_536],
    [10, 65_536],
    [1_000_000, 500_000],
  ])
})
