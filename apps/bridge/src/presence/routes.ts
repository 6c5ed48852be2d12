/**
 * `GET /api/v1/peers`: the list of who is here, for apps that want it once over HTTP, with the addresses at which each is dialled.
 * Not here: the live list (presence.ts).
 */
import { type Context, Hono } from 'hono'
import { requireAccess } from '../http/access-token.ts'
import type { Registry } from '../peers/registry.ts'
import { presenceRow } from './presence.ts'

export interface PresenceRoutesDependencies {
  readonly registry: Registry
  readonly verifyAccessToken: (jwt: string) => Promise<{ readonly sub: string } | undefined>
  /** Circuit addresses of a peer, for native peers and for whoever reached the bridge as this request did. */
  readonly circuitAddresses: (peer: string, context: Context) => string[]
}

/** To be mounted at `/api/v1`. */
export function createPresenceRoutes({ registry, verifyAccessToken, circuitAddresses }: PresenceRoutesDependencies): Hono {
  const app = new Hono()
  app.get('/peers', async (context) => {
    const claims = await requireAccess(context, verifyAccessToken)
    const rows = registry.list().flatMap((session) => presenceRow(session) ?? [])
    context.header('Cache-Control', 'no-store')
    return context.json({
      peers: rows.filter(({ peer }) => peer !== claims.sub).map((row) => ({ ...row, addresses: circuitAddresses(row.peer, context) })),
    })
  })
  return app
}
