import { expect, test } from 'vitest'
import { hopKind } from './hop-kind.ts'

const BRIDGE = '/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5'

test.each([
  [`/dns/bridge.example/udp/443/quic-v1/webtransport/certhash/uEiA/certhash/uEiB${BRIDGE}`, 'webtransport'],
  [`/dns/bridge.example/tcp/443/tls/ws${BRIDGE}`, 'websocket'],
  ['/ip4/192.0.2.1/tcp/8080/ws', 'websocket'],
  [`/dns4/bridge.example/tcp/443/wss${BRIDGE}`, 'websocket'],
  [`/dns/bridge.example/tcp/443/tls/http/http-path/api%2Fv1%2Ftunnels${BRIDGE}`, 'tunnel'],
])('%s is a %s', (address, kind) => {
  expect(hopKind(address)).toBe(kind)
})

test.each([`/ip4/192.0.2.1/tcp/4001${BRIDGE}`, `/dns/bridge.example/tcp/443/tls/ws${BRIDGE}/p2p-circuit${BRIDGE}`, ''])(
  '%s is no first hop',
  (address) => {
    expect(hopKind(address)).toBeUndefined()
  },
)
