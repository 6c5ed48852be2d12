/**
 * `GET /api/v1/network`: how the bridge stands in the network, for the people on it: numbers alone, so that nobody learns from it whom others look for.
 * Not here: the whole picture, which is the operator's (admin/routes.ts, `footbridge network`).
 */
import type { BridgeNetwork } from '@footbridge/shared/bridge-network'
import { Hono } from 'hono'
import { requireAccess } from '../http/access-token.ts'
import type { NetworkStatus } from './network-status.ts'

export interface NetworkRoutesDependencies {
  readonly status: () => NetworkStatus
  readonly verifyAccessToken: (jwt: string) => Promise<{ readonly sub: string } | undefined>
}

/** To be mounted at `/api/v1`. */
export function createNetworkRoutes({ status, verifyAccessToken }: NetworkRoutesDependencies): Hono {
  const app = new Hono()
  app.get('/network', async (context) => {
    await requireAccess(context, verifyAccessToken)
    context.header('Cache-Control', 'no-store')
    return context.json(toNumbers(status()))
  })
  return app
}

function toNumbers({ autonat, relays, rendezvous, knownPeers }: NetworkStatus): BridgeNetwork {
  return {
    reachability: autonat.reachability,
    testedAt: autonat.lastTest === null ? null : Date.parse(autonat.lastTest),
    relays: { known: relays.length, accepted: relays.filter(({ state }) => state === 'accepted').length },
    rendezvous: { known: rendezvous.length, registered: rendezvous.filter(({ state }) => state === 'registered').length },
    peers: { total: knownPeers.total, bySource: knownPeers.bySource },
  }
}
