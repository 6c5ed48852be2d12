import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, it } from 'vitest'
import { MAX_LAN_ADDRESSES } from '../limits.ts'
import { createDialPolicy, type DialPolicyOptions } from './dial-policy.ts'

const BRIDGE = '12D3KooWNcTP4cWToWRdJbfni9YXRjzeQD4BVYzv9Hnmdfrnh81C'
const ALICE = '12D3KooWCKCeqLPSgMnDjyFsJuWqREDtKNHx1JEBiwaMXhCLNTRb'
const BOB = '12D3KooWFB51PRY9BxcXSH6khFXw1BZeszeLDy7C8GciskqCTZn5'

const policyOf = (options: Partial<DialPolicyOptions> = {}): ReturnType<typeof createDialPolicy> =>
  createDialPolicy({ ownPeer: BRIDGE, operatorAddrs: [], privateRanges: [], ...options })

describe('what a stranger tells', () => {
  it.each<[string, boolean, string]>([
    [`/ip4/11.0.0.5/tcp/4001/p2p/${ALICE}`, true, 'a public address'],
    ['/ip4/11.0.0.5/udp/4001/quic-v1', true, 'the same over UDP'],
    ['/ip6/2606:4700::1/tcp/4001', true, 'a public IPv6 address'],
    ['/ip6/::ffff:11.0.0.5/tcp/4001', true, 'a public IPv4 address, written as IPv6'],
    ['/dns4/peer.example/tcp/4001', true, 'a name over TCP: where it leads is seen when it is looked up'],
    [`/dns/relay.example/tcp/4001/p2p/${ALICE}/p2p-circuit/p2p/${BOB}`, true, 'the same behind a relay'],
    ['/dns/peer.example/tcp/443/tls/ws', false, 'a name over WebSocket, which looks it up by itself'],
    ['/dns4/peer.example/udp/4001/quic-v1', false, 'a name over UDP, the same'],
    ['/ip4/127.0.0.1/tcp/8081', false, 'our own machine'],
    ['/ip4/127.9.9.9/udp/53/quic-v1', false, 'our own machine by another name'],
    ['/ip4/0.0.0.0/tcp/22', false, 'our own machine on Linux'],
    ['/ip6/::1/tcp/8081', false, 'our own machine over IPv6'],
    ['/ip6/::/tcp/22', false, 'and once more'],
    ['/ip6/::ffff:127.0.0.1/tcp/22', false, 'our own machine, IPv4 in IPv6'],
    ['/ip6/::ffff:a00:1/tcp/22', false, 'a private IPv4 address in IPv6'],
    ['/ip6/::127.0.0.1/tcp/22', false, 'the old way to write that'],
    ['/ip6/64:ff9b::7f00:1/tcp/22', false, 'IPv4 behind NAT64'],
    ['/ip6/2002:7f00:1::/tcp/22', false, 'IPv4 behind 6to4'],
    ['/ip6/2001::7f00:1/tcp/22', false, 'IPv4 behind Teredo'],
    ['/ip4/10.0.0.1/tcp/80', false, 'the operator’s network'],
    ['/ip4/172.31.255.255/tcp/80', false, 'the operator’s network'],
    ['/ip4/192.168.1.1/tcp/80', false, 'the operator’s router'],
    ['/ip4/100.64.0.1/tcp/80', false, 'the provider’s network'],
    ['/ip4/169.254.169.254/tcp/80', false, 'what a cloud tells its machines'],
    ['/ip6/fd00::1/tcp/80', false, 'the operator’s network over IPv6'],
    ['/ip6/fe80::1/tcp/80', false, 'the same cable'],
    ['/ip6zone/eth0/ip6/fe80::1/tcp/80', false, 'the same cable, which one'],
    ['/ip4/224.0.0.251/udp/5353/quic-v1', false, 'everybody on the local network'],
    ['/ip4/255.255.255.255/udp/9/quic-v1', false, 'everybody on the local network'],
    ['/ip4/203.0.113.9/tcp/4001', false, 'an address of documentation, which nobody has'],
    [`/p2p/${ALICE}`, false, 'no address'],
    ['/unix/run%2Fdocker.sock', false, 'a socket of our own machine'],
    [`/ip4/11.0.0.5/tcp/4001/p2p/${ALICE}/p2p-circuit/p2p/${BOB}`, true, 'a peer behind a public relay'],
    [`/ip4/10.0.0.1/tcp/4001/p2p/${ALICE}/p2p-circuit/p2p/${BOB}`, false, 'a relay on the operator’s network'],
    [`/ip4/11.0.0.5/tcp/4001/p2p/${ALICE}/p2p-circuit/p2p/${BOB}/p2p-circuit`, false, 'a circuit in a circuit'],
    [`/ip4/11.0.0.5/tcp/4001/p2p/${BRIDGE}/p2p-circuit/p2p/${BOB}`, false, 'a circuit through ourselves'],
    [`/ip4/11.0.0.5/tcp/4001/p2p/${BRIDGE}`, false, 'ourselves'],
  ])('%s: %s, %s', (address, isAllowed) => {
    expect(policyOf().allows(multiaddr(address))).toBe(isAllowed)
    expect(policyOf().allowsTold(multiaddr(address))).toBe(isAllowed)
  })
})

describe('what the operator set', () => {
  const relay = `/ip4/127.0.0.1/tcp/4001/p2p/${ALICE}`

  it('may be anywhere, whatever is spoken at that place, and makes no other port of that machine free', () => {
    const policy = policyOf({ operatorAddrs: [relay, '/dns4/boot.local/udp/4001/quic-v1'] })
    expect(policy.allows(multiaddr(relay))).toBe(true)
    expect(policy.allows(multiaddr(`${relay}/p2p-circuit/p2p/${BOB}`))).toBe(true)
    expect(policy.allows(multiaddr('/dns4/boot.local/udp/4001/quic-v1'))).toBe(true)
    expect(policy.allows(multiaddr('/ip4/127.0.0.1/tcp/4002'))).toBe(false)
    expect(policy.allowsTold(multiaddr(relay))).toBe(false)
  })

  it('frees ranges for everybody with --dial-private', () => {
    const policy = policyOf({ privateRanges: ['127.0.0.0/8', '::1', 'fd00::/8'] })
    for (const address of ['/ip4/127.0.0.1/tcp/1', '/ip6/::1/tcp/1', '/ip6/fd00::5/tcp/1'])
      expect(policy.allowsTold(multiaddr(address))).toBe(true)
    expect(policy.allowsTold(multiaddr('/ip4/10.0.0.1/tcp/1'))).toBe(false)
  })
})

describe('what mDNS tells', () => {
  it('may be on the local network, on that port, and not on our own machine', () => {
    const policy = policyOf()
    const heard = ['/ip4/192.168.1.7/tcp/4001', '/ip6/fe80::7/udp/4001/quic-v1', '/ip4/127.0.0.1/tcp/6379', '/ip4/169.254.169.254/tcp/80']
    policy.heardOnLan(heard.map((address) => multiaddr(address)))
    expect(heard.map((address) => policy.allows(multiaddr(address)))).toEqual([true, true, false, false])
    expect(policy.allows(multiaddr('/ip4/192.168.1.7/tcp/22'))).toBe(false)
  })

  it('is forgotten, oldest first, when a machine tells very much', () => {
    const policy = policyOf()
    const address = (index: number) => multiaddr(`/ip4/10.0.${index >> 8}.${index & 255}/tcp/4001`)
    for (let index = 0; index <= MAX_LAN_ADDRESSES; index++) policy.heardOnLan([address(index)])
    expect([0, 1, MAX_LAN_ADDRESSES].map((index) => policy.allows(address(index)))).toEqual([false, true, true])
  })
})

it('of what is passed on to others, nothing private is, whoever it belongs to', () => {
  const policy = policyOf({ operatorAddrs: [`/ip4/10.0.0.1/tcp/1/p2p/${ALICE}`] })
  expect(policy.isOfUse(multiaddr(`/ip4/11.0.0.5/tcp/1/p2p/${BRIDGE}/p2p-circuit/p2p/${BOB}`))).toBe(true)
  expect(policy.isOfUse(multiaddr('/dns/bridge.example/udp/8080/quic-v1/webtransport'))).toBe(true)
  expect(policy.isOfUse(multiaddr('/ip4/10.0.0.1/tcp/1'))).toBe(false)
  expect(policy.isOfUse(multiaddr('/ip4/127.0.0.1/tcp/1'))).toBe(false)
})

describe('a name', () => {
  const lookUp = (name: string, all: boolean, found: string[]): Promise<unknown> => {
    const policy = policyOf({
      operatorAddrs: ['/dns4/boot.local/tcp/4001'],
      resolve: (_name, done) =>
        done(
          null,
          found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
        ),
    })
    return new Promise((resolve) => {
      policy.lookup(name, { all }, (error, address) => resolve(error?.code ?? address))
    })
  }

  it('of a stranger leads to its public addresses alone', async () => {
    expect(await lookUp('peer.example', true, ['10.0.0.1', '11.0.0.5', '::1'])).toEqual([{ address: '11.0.0.5', family: 4 }])
    expect(await lookUp('peer.example', false, ['127.0.0.1', '11.0.0.5'])).toBe('11.0.0.5')
    expect(await lookUp('peer.example', false, ['127.0.0.1', '::ffff:10.0.0.1'])).toBe('ENOTFOUND')
  })

  it('of the operator leads anywhere', async () => {
    expect(await lookUp('boot.local', false, ['10.0.0.1'])).toBe('10.0.0.1')
  })
})
