import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { describe, expect, it } from 'vitest'
import { createAddresses, originToMultiaddr } from './addresses.ts'

const BRIDGE = '12D3KooWSyQ3nWeiADjppnrmj2LK68yxWfiJPtzFjBZMwP3qFZB1'
const ALICE = '12D3KooWPv5kgSCDRk7cFUCpzvw82YUyMkVQCfmfqyRb2jBmzumb'

const addresses = (
  more: Partial<Parameters<typeof createAddresses>[0]> = {},
  listening = ['/ip4/127.0.0.1/tcp/8081', '/ip4/192.0.2.1/tcp/8081'],
) =>
  createAddresses({
    bridgePeer: BRIDGE,
    publicUrl: undefined,
    announceAddrs: [],
    listening: () => listening.map((each) => multiaddr(each)),
    webTransport: () => undefined,
    ...more,
  })

describe('addresses of the bridge', () => {
  it.each([
    ['http://localhost:8080', '/dns/localhost/tcp/8080/ws'],
    ['https://bridge.example', '/dns/bridge.example/tcp/443/tls/ws'],
    ['http://bridge.example', '/dns/bridge.example/tcp/80/ws'],
    ['https://bridge.example:8443', '/dns/bridge.example/tcp/8443/tls/ws'],
    ['http://192.0.2.1:8080', '/ip4/192.0.2.1/tcp/8080/ws'],
    ['https://[2001:db8::5]', '/ip6/2001:db8::5/tcp/443/tls/ws'],
  ])('turn the origin %s into %s, which a stock client can dial', (origin, address) => {
    expect(originToMultiaddr(origin)).toEqual([address])
    const transport = webSockets()({ logger: { forComponent: () => () => {} } } as never)
    expect(transport.dialFilter([multiaddr(address)])).toHaveLength(1)
  })

  it.each(['ftp://bridge.example', 'bridge.example', ''])('make nothing of %s', (origin) => {
    expect(originToMultiaddr(origin)).toBeUndefined()
  })

  it('give a browser the public address first, then the one that it came by', () => {
    expect(addresses({ publicUrl: 'https://bridge.example' }).firstHops('http://192.0.2.1:8080')).toEqual([
      `/dns/bridge.example/tcp/443/tls/ws/p2p/${BRIDGE}`,
      `/ip4/192.0.2.1/tcp/8080/ws/p2p/${BRIDGE}`,
      `/dns/bridge.example/tcp/443/tls/http/http-path/api%2Fv1%2Ftunnels/p2p/${BRIDGE}`,
      `/ip4/192.0.2.1/tcp/8080/http/http-path/api%2Fv1%2Ftunnels/p2p/${BRIDGE}`,
    ])
    expect(addresses({ publicUrl: 'https://bridge.example' }).firstHops('https://bridge.example')).toHaveLength(2)
  })

  it.each([
    ['0.0.0.0', 'https://bridge.example', '/dns/bridge.example/udp/8080', 'the host that the browser came by'],
    ['0.0.0.0', 'http://192.0.2.1:8080', '/ip4/192.0.2.1/udp/8080', 'an address is its own name'],
    ['::', 'https://[2001:db8::5]', '/ip6/2001:db8::5/udp/8080', 'also one of version 6'],
    ['127.0.0.1', 'http://localhost:8080', '/ip4/127.0.0.1/udp/8080', 'localhost is where it listens'],
    ['::1', 'http://localhost:8080', '/ip6/::1/udp/8080', 'whichever that is'],
    ['127.0.0.1', 'https://bridge.example', undefined, 'a proxy in front takes no UDP'],
  ])('name WebTransport on %s to a browser at %s as %s: %s', (host, origin, expected, _reason) => {
    const suffix = '/quic-v1/webtransport/certhash/uEiDRRYUEStX8Ea1RUbxAnImCEFNH9SIeR4s-cqiwJHAWXA'
    const hops = addresses({ webTransport: () => ({ host, port: 8080, suffix }) }).firstHops(origin)
    expect(hops[0]).toContain('/ws/')
    expect(hops.filter((hop) => hop.includes('/webtransport/'))).toEqual(
      expected === undefined ? [] : [`${expected}${suffix}/p2p/${BRIDGE}`],
    )
  })

  it('tell whoever reserves of WebTransport where the operator says under which name', () => {
    const place = { host: '0.0.0.0', port: 443, suffix: '/quic-v1/webtransport' }
    const told = addresses({ publicUrl: 'https://bridge.example', webTransport: () => place })
      .reservationAddresses()
      .map(String)
    expect(told).toContain(`/dns/bridge.example/udp/443/quic-v1/webtransport/p2p/${BRIDGE}`)
    expect(
      addresses({ webTransport: () => place })
        .reservationAddresses()
        .join(),
    ).not.toContain('webtransport')
  })

  it('leave the tunnel to whoever speaks it: no other transport takes its address', () => {
    const [, hop = ''] = addresses({ publicUrl: 'https://bridge.example' }).firstHops('https://bridge.example')
    const components = { logger: { forComponent: () => () => {} } } as never
    for (const transport of [webSockets()(components), tcp()(components)]) expect(transport.dialFilter([multiaddr(hop)])).toEqual([])
  })

  it('leave loopback out when there is another, and give it when there is none', () => {
    expect(addresses().relayAddresses()).toEqual([`/ip4/192.0.2.1/tcp/8081/p2p/${BRIDGE}`])
    expect(addresses({}, ['/ip4/127.0.0.1/tcp/8081']).relayAddresses()).toEqual([`/ip4/127.0.0.1/tcp/8081/p2p/${BRIDGE}`])
  })

  it.each(['/ip4/169.254.7.7/tcp/8081', '/ip6/fe80::1/tcp/8081', '/ip6zone/eth0/ip6/fe80::1/tcp/8081', '/ip6/::1/tcp/8081'])(
    'leave %s out when there is another',
    (address) => {
      expect(addresses({}, [address, '/ip6/2001:db8::5/tcp/8081']).relayAddresses()).toEqual([`/ip6/2001:db8::5/tcp/8081/p2p/${BRIDGE}`])
    },
  )

  it('are told to whoever reserves with the bridge’s PeerID and without /p2p-circuit', () => {
    expect(addresses({ publicUrl: 'https://bridge.example' }).reservationAddresses().map(String)).toEqual([
      `/ip4/192.0.2.1/tcp/8081/p2p/${BRIDGE}`,
      `/dns/bridge.example/tcp/443/tls/ws/p2p/${BRIDGE}`,
    ])
  })

  it('are what the operator announces, where that is said', () => {
    expect(addresses({ announceAddrs: ['/dns4/bridge.example/tcp/9'] }).relayAddresses()).toEqual([
      `/dns4/bridge.example/tcp/9/p2p/${BRIDGE}`,
    ])
  })

  it('lead to a peer through a circuit', () => {
    expect(addresses().circuitAddresses(ALICE, 'http://localhost:8080')).toEqual([
      `/ip4/192.0.2.1/tcp/8081/p2p/${BRIDGE}/p2p-circuit/p2p/${ALICE}`,
      `/dns/localhost/tcp/8080/ws/p2p/${BRIDGE}/p2p-circuit/p2p/${ALICE}`,
    ])
  })

  it('tell native peers TCP first and then every other way in, but neither the tunnel nor what is behind a relay', () => {
    const listening = [
      '/ip4/11.0.0.5/udp/8083/webrtc-direct/certhash/uEiDRRYUEStX8Ea1RUbxAnImCEFNH9SIeR4s-cqiwJHAWXA',
      '/ip4/11.0.0.5/tcp/8080/http',
      '/ip4/11.0.0.5/tcp/8080/ws',
      `/ip4/11.0.0.9/tcp/4001/p2p/${ALICE}/p2p-circuit`,
      '/ip4/127.0.0.1/udp/8082/quic-v1',
      '/ip4/11.0.0.5/udp/8082/quic-v1',
      '/ip4/11.0.0.5/tcp/8081',
    ]
    expect(addresses({}, listening).relayAddresses()).toEqual(
      [listening[6], listening[5], listening[2], listening[0]].map((address) => `${address}/p2p/${BRIDGE}`),
    )
  })
})
