/**
 * WebSocket upgrades: `GET /` and `GET /libp2p` become libp2p connections. `/` too, because a stock libp2p client dials `/ws` without a path.
 * The Origin is logged and not checked: it is no secret to whoever is not a browser, and there are no cookies that another site could ride on. Everything
 * after the upgrade is authenticated by noise.
 */
import type { IncomingMessage } from 'node:http'
import { upgradeWebSocket } from '@hono/node-server'
import type { WebSocketListener } from '@footbridge/listeners/websocket/websocket-listener'
import { UpgradedSocket } from '@footbridge/listeners/websocket/upgraded-socket'
import { FootbridgeError } from '@footbridge/shared/errors'
import type { MiddlewareHandler } from 'hono'
import { WebSocketServer } from 'ws'
import type { Log } from '../telemetry/log.ts'
import type { ClientAddress } from './client-address.ts'

export function createWebSocketServer(): WebSocketServer {
  // What noise encrypted does not compress.
  return new WebSocketServer({ noServer: true, perMessageDeflate: false, clientTracking: false, WebSocket: UpgradedSocket })
}

export interface SocketsDependencies {
  readonly listener: WebSocketListener
  readonly addressOf: (request: IncomingMessage) => ClientAddress
  readonly log: Log
}

/** For the two paths; lets requests pass that want no upgrade. */
export function libp2pSockets({
  listener,
  addressOf,
  log,
}: SocketsDependencies): MiddlewareHandler<{ Bindings: { incoming: IncomingMessage } }> {
  return async (context, next) => {
    if (context.req.header('Upgrade')?.toLowerCase() !== 'websocket') return next()
    const { ip, port } = addressOf(context.env.incoming)
    log.debug({ ip, origin: context.req.header('Origin') }, 'websocket')
    if (!listener.admits(ip))
      throw new FootbridgeError('bridge_full', 'no room for another connection', { details: { retryAfterSeconds: 5 } })
    return upgradeWebSocket(() => ({
      onOpen(_event, { raw }) {
        // Only its socket is kept: Hono's helper hangs the request (6 KB) on the object itself.
        if (raw instanceof UpgradedSocket) listener.accept(raw.framed, { address: ip, port })
      },
    }))(context, next)
  }
}
