/**
 * WebSocket upgrades: `GET /` and `GET /libp2p` become libp2p connections. `/` too, because a stock libp2p client dials `/ws` without a path.
 * The Origin is logged and not checked: it is no secret to whoever is not a browser, and there are no cookies that another site could ride on. Everything
 * after the upgrade is authenticated by noise.
 */
import type { IncomingMessage } from 'node:http'
import { upgradeWebSocket } from '@hono/node-server'
import type { WebSocketListener } from '@footbridge/listeners/websocket/websocket-listener'
import { FootbridgeError } from '@footbridge/shared/errors'
import type { MiddlewareHandler } from 'hono'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Log } from '../telemetry/log.ts'
import type { ClientAddress } from './client-address.ts'

/** A message that a browser's libp2p sends has at most 256 KiB (a yamux window) and a few bytes. */
const MAX_MESSAGE_BYTES = 1024 * 1024

export function createWebSocketServer(): WebSocketServer {
  // What noise encrypted does not compress.
  return new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MAX_MESSAGE_BYTES, clientTracking: false })
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
        const socket = raw as unknown as WebSocket
        // Hono's helper hangs listeners on the socket right after this, which would run for every message and keep the request (6 KB) for as long.
        queueMicrotask(() => {
          socket.removeAllListeners()
          listener.accept(socket, { address: ip, port })
        })
      },
    }))(context, next)
  }
}
