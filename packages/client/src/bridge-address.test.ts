/** Where a bridge is dialled before it has said so itself. */
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { webSocketAddress } from './bridge-address.ts'

const BRIDGE = '12D3KooWRuVncm4XJiyFYzkWs5Qoc39X69vMp7xcBtxGVwm4FZvZ'

test.each([
  ['http://localhost:8080', `/dns/localhost/tcp/8080/ws/p2p/${BRIDGE}`],
  ['https://bridge.example', `/dns/bridge.example/tcp/443/tls/ws/p2p/${BRIDGE}`],
  ['https://bridge.example:8443', `/dns/bridge.example/tcp/8443/tls/ws/p2p/${BRIDGE}`],
  ['http://127.0.0.1', `/ip4/127.0.0.1/tcp/80/ws/p2p/${BRIDGE}`],
  ['http://[::1]:8080', `/ip6/::1/tcp/8080/ws/p2p/${BRIDGE}`],
])('%s has its libp2p at %s', (url, address) => {
  expect(webSocketAddress(url, BRIDGE)).toBe(address)
  expect(multiaddr(address).toString()).toBe(address)
})
