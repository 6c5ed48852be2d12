import { bridgeNetworkSchema } from '@footbridge/shared/bridge-network'
import { Hono } from 'hono'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { createErrorHandler } from '../http/errors.ts'
import { createLog } from '../telemetry/log.ts'
import { createNetworkRoutes } from './network-routes.ts'
import type { NetworkStatus } from './network-status.ts'

const STATUS: NetworkStatus = {
  localPeer: '12D3KooWBridge',
  listenAddresses: ['/ip4/203.0.113.9/tcp/4001'],
  externalAddresses: ['/ip4/203.0.113.9/tcp/4001'],
  relays: [
    { peer: '12D3KooWRelay', state: 'accepted', configured: true, addresses: ['/ip4/198.51.100.7/tcp/4001/p2p/12D3KooWRelay/p2p-circuit'] },
    { peer: '12D3KooWOther', state: 'requested', configured: false, addresses: [] },
  ],
  rendezvous: [{ peer: '12D3KooWPoint', state: 'registered', configured: true, registeredUntil: '2026-11-29T12:00:00.000Z' }],
  directUpgrades: 3,
  autonat: { reachability: 'unreachable', lastTest: '2026-11-29T10:00:00.000Z' },
  knownPeers: { total: 9, bySource: { mdns: 2, kademlia: 8 } },
}

function ask(authorization: string): Response | Promise<Response> {
  const app = new Hono()
  app.onError(createErrorHandler(createLog({ level: 'silent' })))
  app.route(
    '/',
    createNetworkRoutes({ status: () => STATUS, verifyAccessToken: async (jwt) => (jwt === 'a.b.c' ? { sub: 'alice' } : undefined) }),
  )
  return app.request('/network', { headers: { authorization } })
}

test('people on the bridge are told how it stands in numbers, and no peer and no address', async () => {
  const text = await (await ask('Bearer a.b.c')).text()
  expect(v.parse(bridgeNetworkSchema, JSON.parse(text))).toEqual({
    reachability: 'unreachable',
    testedAt: Date.UTC(2026, 10, 29, 10),
    relays: { known: 2, accepted: 1 },
    rendezvous: { known: 1, registered: 1 },
    peers: { total: 9, bySource: { mdns: 2, kademlia: 8 } },
  })
  expect(text).not.toMatch(/12D3KooW|ip4/)
})

test.each(['', 'Bearer', 'Bearer x.y.z', 'Basic a.b.c'])('whoever shows "%s" is told nothing', async (authorization) => {
  expect((await ask(authorization)).status).toBe(401)
})
