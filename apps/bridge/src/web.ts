/**
 * What the bridge answers over HTTP: the part of the composition root for the app, the API, libp2p's sockets and tunnels, and what an operator's tools ask.
 * Made by bridge.ts after everything that it asks, started before the node, which listens on its port.
 * Not here: the answers (each feature's routes.ts), and the control socket (admin/).
 */
import type { TunnelListener } from '@footbridge/listeners/tunnel/tunnel-listener'
import type { WebSocketListener } from '@footbridge/listeners/websocket/websocket-listener'
import type { Storage } from '@footbridge/storage/ports'
import type { Context } from 'hono'
import type { IncomingMessage } from 'node:http'

import { createAuthRoutes } from './auth/routes.ts'
import type { Sessions } from './auth/sessions.ts'
import type { Config } from './config/config.ts'
import { createNetworkRoutes } from './discovery/network-routes.ts'
import { createNeighbours } from './gossip/neighbours.ts'
import { createGossipRoutes } from './gossip/routes.ts'
import { createApp, type AppDependencies } from './http/app.ts'
import { watchCertificate, type CertificatePair } from './http/certificate.ts'
import type { createClientAddress } from './http/client-address.ts'
import { createMetricsAccess } from './http/metrics-access.ts'
import { createOperationRoutes, type OperationDependencies } from './http/operation-routes.ts'
import { createServer } from './http/server.ts'
import type { Sightings } from './http/sightings.ts'
import { createWebSocketServer } from './http/sockets.ts'
import { loadStaticFiles } from './http/static-files.ts'
import { createTunnelRoutes } from './http/tunnels.ts'
import type { Network } from './network.ts'
import type { Addresses } from './node/addresses.ts'
import { agentOf } from './node/agent.ts'
import type { BridgeNode } from './node/create-node.ts'
import type { Registry } from './peers/registry.ts'
import { createPresenceRoutes } from './presence/routes.ts'
import type { Log } from './telemetry/log.ts'

export interface WebParts {
  readonly config: Config
  readonly version: string
  /** Folder of the built web app. */
  readonly webRoot: string
  readonly tls: CertificatePair | undefined
  readonly node: BridgeNode
  readonly webSockets: WebSocketListener
  readonly tunnels: TunnelListener
  readonly registry: Registry
  readonly sessions: Sessions
  readonly network: Network
  readonly addresses: Addresses
  readonly sightings: Sightings
  readonly addressOf: ReturnType<typeof createClientAddress>
  readonly storage: Storage
  readonly metrics: OperationDependencies['metrics']
  /** False while starting and stopping. */
  readonly isReady: () => boolean
  /** Whether these run: neither is missed where it does not. */
  readonly has: { readonly webTransport: () => boolean; readonly stun: () => boolean }
  readonly onAnswered: NonNullable<AppDependencies['onAnswered']>
  readonly log: Log
  /** Milliseconds since the epoch. */
  readonly clock: () => number
}

export interface Web {
  /** Once. @returns the port. @throws Node's error when it cannot be had. */
  start(): Promise<number>
  /** Idempotent. Lets running requests finish. */
  stop(): Promise<void>
}

export async function createWeb(parts: WebParts): Promise<Web> {
  const { config, version, tls, node, registry, sessions, network, addresses, addressOf, isReady, has, log, clock } = parts
  const peer = node.peerId.toString()
  const verifyAccessToken: Sessions['verifyAccessToken'] = (jwt) => sessions.verifyAccessToken(jwt)
  const contextOf = (context: Context): { ip: string; origin: string } => addressOf((context.env as { incoming: IncomingMessage }).incoming)
  let unwatch: (() => Promise<void> | void) | undefined

  const app = createApp({
    listener: parts.webSockets,
    addressOf,
    log,
    staticFiles: await loadStaticFiles(parts.webRoot),
    onAnswered: parts.onAnswered,
    operation: createOperationRoutes({
      isReady,
      health: {
        // The one question of the store that is always answered in microseconds.
        store: async () => {
          await parts.storage.settings.get('health')
          return { status: 'ok' }
        },
        network: () => ({ status: node.status === 'started' ? 'ok' : 'failed' }),
        webTransport: () => ({ status: has.webTransport() ? 'ok' : 'off' }),
        stun: () => ({ status: has.stun() ? 'ok' : 'off' }),
      },
      info: () => ({
        peer,
        version,
        agent: agentOf(version),
        addresses: node.getMultiaddrs().map(String),
        protocols: node.getProtocols(),
      }),
      metrics: parts.metrics,
      mayReadMetrics: createMetricsAccess(config.metrics),
      addressOf,
    }),
    api: [
      parts.sightings.routes,
      createAuthRoutes({
        sessions,
        bridge: { peer, name: config.name, version, guests: config.guests },
        firstHops: (origin) => addresses.firstHops(origin),
        clock,
        contextOf,
      }),
      createTunnelRoutes({ listener: parts.tunnels, verifyAccessToken, addressOf }),
      createNetworkRoutes({ status: () => network.status(), verifyAccessToken }),
      createPresenceRoutes({
        registry,
        verifyAccessToken,
        circuitAddresses: (id, context) => addresses.circuitAddresses(id, contextOf(context).origin),
      }),
      createGossipRoutes({ neighbours: createNeighbours({ pubsub: node.services.pubsub, node, registry }), verifyAccessToken }),
    ],
  })
  const server = createServer({ app, webSocketServer: createWebSocketServer(), host: config.host, port: config.port, tls })

  return {
    async start() {
      const port = await server.listen()
      if (config.tls && tls) {
        const onError = (error: unknown): void =>
          log.warn({ err: error }, 'the certificate files cannot be used; the old certificate stays')
        unwatch = watchCertificate(tls, { ...config.tls, onError }, (pair) => {
          server.useCertificate(pair)
          log.info('renewed certificate in use')
        })
      }
      return port
    },
    async stop() {
      await unwatch?.()
      unwatch = undefined
      await server.stop()
    },
  }
}
