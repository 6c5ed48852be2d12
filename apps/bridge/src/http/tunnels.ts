/**
 * The HTTPS tunnel's requests: who asks is whom the access token names, and their bodies go to the tunnel. CORS is the API's.
 * Not here: what the bodies mean (packages/listeners/src/tunnel).
 */
import type { IncomingMessage } from 'node:http'
import { DEFAULT_TUNNEL_LIMITS, type TunnelListener } from '@footbridge/listeners/tunnel/tunnel-listener'
import type { TunnelRequests } from '@footbridge/listeners/tunnel/tunnel'
import { FootbridgeError } from '@footbridge/shared/errors'
import { MAX_TUNNEL_BODY_BYTES, TUNNEL_WINDOW_BYTES } from '@footbridge/shared/limits'
import type { TunnelAnswer } from '@footbridge/shared/wire/tunnel-api'
import { TUNNEL_CONTENT_TYPE } from '@footbridge/shared/wire/tunnel-frame'
import { Hono, type Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { requireAccess } from './access-token.ts'
import type { ClientAddress } from './client-address.ts'

export interface TunnelRoutesDependencies {
  readonly listener: Pick<TunnelListener, 'open' | 'find'>
  readonly verifyAccessToken: (jwt: string) => Promise<{ readonly sub: string } | undefined>
  readonly addressOf: (request: IncomingMessage) => ClientAddress
}

const HEADERS = {
  'Content-Type': TUNNEL_CONTENT_TYPE,
  // no-transform: what noise encrypted does not compress, and a proxy that tries holds it back.
  'Cache-Control': 'no-store, no-transform',
  // nginx holds answers back unless told.
  'X-Accel-Buffering': 'no',
} as const

/** To be mounted at `/api/v1`. */
export function createTunnelRoutes({ listener, verifyAccessToken, addressOf }: TunnelRoutesDependencies): Hono {
  const app = new Hono()

  app.post('/tunnels', async (context) => {
    const peer = await authenticate(context)
    const { ip, port } = addressOf((context.env as { incoming: IncomingMessage }).incoming)
    const id = listener.open({ peer, address: ip, port })
    if (id === undefined) throw new FootbridgeError('bridge_full', 'no room for another tunnel', { details: { retryAfterSeconds: 5 } })
    const { heartbeatMs, pollMs } = DEFAULT_TUNNEL_LIMITS
    return context.json({ id, limit: TUNNEL_WINDOW_BYTES, heartbeatMs, pollMs } satisfies TunnelAnswer, 201, {
      'Cache-Control': 'no-store',
    })
  })

  app.post('/tunnels/:id/up', limitBody, async (context) => {
    const tunnel = await find(context)
    return context.body(tunnel.up(await readBody(context)), 200, HEADERS)
  })

  app.get('/tunnels/:id/down', async (context) => {
    const tunnel = await find(context)
    const [received, limit] = [offset(context, 'received'), offset(context, 'limit')]
    return context.body(tunnel.down({ received, limit }), 200, HEADERS)
  })

  app.post('/tunnels/:id/poll', limitBody, async (context) => {
    const tunnel = await find(context)
    return context.body(await tunnel.poll(await readBody(context), context.req.raw.signal), 200, HEADERS)
  })

  const authenticate = async (context: Context): Promise<string> => (await requireAccess(context, verifyAccessToken)).sub

  /** Another's tunnel and none are the same. */
  const find = async (context: Context): Promise<TunnelRequests> => {
    const peer = await authenticate(context)
    const tunnel = listener.find(context.req.param('id') ?? '', peer)
    if (tunnel === undefined) throw new FootbridgeError('not_found', 'there is no such tunnel')
    return tunnel
  }

  return app
}

const limitBody = bodyLimit({
  maxSize: MAX_TUNNEL_BODY_BYTES,
  onError: () => {
    throw new FootbridgeError('too_large', `the body may have at most ${MAX_TUNNEL_BODY_BYTES} bytes`)
  },
})

async function readBody(context: Context): Promise<Uint8Array> {
  try {
    return new Uint8Array(await context.req.arrayBuffer())
  } catch (cause) {
    if (cause instanceof FootbridgeError) throw cause
    throw new FootbridgeError('bad_request', 'the body did not arrive whole', { cause })
  }
}

function offset(context: Context, name: string): number {
  const value = context.req.query(name) ?? ''
  if (!/^\d{1,15}$/.test(value)) throw new FootbridgeError('bad_request', `${name} must be a number of bytes`)
  return Number(value)
}
