/**
 * `GET /api/v1/rooms/neighbours?topic=…`: native peers in a room, for whoever is in it (neighbours.ts).
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import { Hono } from 'hono'
import { requireAccess } from '../http/access-token.ts'
import { MAX_TOPIC_BYTES } from './limits.ts'
import type { Neighbours } from './neighbours.ts'

export interface GossipRoutesDependencies {
  readonly neighbours: Neighbours
  readonly verifyAccessToken: (jwt: string) => Promise<{ readonly sub: string } | undefined>
}

/** To be mounted at `/api/v1`. */
export function createGossipRoutes({ neighbours, verifyAccessToken }: GossipRoutesDependencies): Hono {
  const app = new Hono()
  app.get('/rooms/neighbours', async (context) => {
    const claims = await requireAccess(context, verifyAccessToken)
    const topic = context.req.query('topic') ?? ''
    if (topic === '' || Buffer.byteLength(topic) > MAX_TOPIC_BYTES)
      throw new FootbridgeError('bad_request', `a topic has 1 to ${MAX_TOPIC_BYTES} bytes`)
    const found = await neighbours(claims.sub, topic)
    if (found === undefined) throw new FootbridgeError('not_found', 'this device is not in that room')
    context.header('Cache-Control', 'no-store')
    return context.json({ neighbours: found })
  })
  return app
}
