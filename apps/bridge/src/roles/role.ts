/**
 * The composition root of a role that runs alone: identity, node, HTTP for health, info and metrics, in one place for both roles. What the role is for comes in
 * as a duty. Not here: the bridge, which has all of it (../bridge.ts).
 */
import { createWebSocketListener } from '@footbridge/listeners/websocket/websocket-listener'
import type { Libp2pEvents, PeerId, ServiceMap } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { getThinWaistAddresses } from '@libp2p/utils'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import type { ServiceFactoryMap } from 'libp2p'
import type { Registry as MetricRegistry } from 'prom-client'
import { createClientAddress } from '../http/client-address.ts'
import { createMetricsAccess } from '../http/metrics-access.ts'
import { createRoleApp } from '../http/role-app.ts'
import { createServer } from '../http/server.ts'
import { createWebSocketServer } from '../http/sockets.ts'
import { createAddresses } from '../node/addresses.ts'
import { agentOf } from '../node/agent.ts'
import { loadIdentity } from '../node/identity.ts'
import { createLiveness } from '../node/liveness.ts'
import { loadNativeTransports } from '../node/native-transports.ts'
import { versionMetric } from '../telemetry/bridge-metrics.ts'
import { libp2pLogger, type Log } from '../telemetry/log.ts'
import { createMetrics, type MetricFamily } from '../telemetry/metrics.ts'
import { createListenMetrics, createNodeMetrics } from '../telemetry/node-metrics.ts'
import type { RoleConfig } from './role-config.ts'
import { createRoleNode, MAX_ROLE_STREAMS, type RoleNode } from './role-node.ts'

export interface RoleParts {
  readonly log: Log
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  readonly randomBytes: (length: number) => Uint8Array
  readonly version: string
  readonly processMetrics?: MetricRegistry
}

/** What a role is for: the services of its node, and what they count. */
export interface Duty<Services extends ServiceMap> {
  readonly name: 'relay' | 'rendezvous'
  /** @param addresses where others reach the node, each ending in its /p2p/. */
  readonly services: (addresses: () => Multiaddr[]) => ServiceFactoryMap<Services>
  readonly families: (node: RoleNode<Services>) => readonly MetricFamily[]
  /** After the node has started. */
  readonly start?: (node: RoleNode<Services>) => Promise<void>
  /** Before the node stops; whether or not start was done. */
  readonly stop?: (node: RoleNode<Services>) => Promise<void>
}

export interface RunningRole<Services extends ServiceMap = ServiceMap> {
  readonly peer: string
  /** All of them, each ending in /p2p/: to be given to other programs. */
  readonly addresses: readonly string[]
  /** Of HTTP. */
  readonly port: number
  /** Why there is no QUIC. */
  readonly noQuic: string | undefined
  /** To look at, for tests. */
  readonly node: RoleNode<Services>
}

export interface Role<Services extends ServiceMap = ServiceMap> extends AsyncDisposable {
  /** Once. @throws IdentityError, or Node's error when a port cannot be had; `stop` cleans up after either. */
  start(): Promise<RunningRole<Services>>
  /** Idempotent. */
  stop(): Promise<void>
}

export function createRole<Services extends ServiceMap>(config: RoleConfig, duty: Duty<Services>, parts: RoleParts): Role<Services> {
  const { log, clock, randomBytes, version, processMetrics } = parts
  /** What has been started, to be stopped in reverse. */
  const stack = new AsyncDisposableStack()
  let stopping: Promise<void> | undefined

  const start = async (): Promise<RunningRole<Services>> => {
    const privateKey = await loadIdentity(config.dataDir)
    const peer = peerIdFromPrivateKey(privateKey).toString()
    let ready = false
    let { port } = config

    const { quic, missing } = await loadNativeTransports({ maxStreams: MAX_ROLE_STREAMS, webRtcDirect: false })
    const listen = quic !== undefined ? config.listenAddrs : config.listenAddrs.filter((address) => !address.includes('/quic'))
    const ip = config.host.includes(':') ? 'ip6' : 'ip4'
    const webSockets = createWebSocketListener({
      // Node's HTTP server takes IPv4 on :: as well.
      getAddrs: () =>
        (config.host === '::' ? ['/ip4/0.0.0.0', '/ip6/::'] : [`/${ip}/${config.host}`])
          .flatMap((base) => getThinWaistAddresses(multiaddr(`${base}/tcp/${port}`)))
          .map((address) => address.encapsulate('/ws')),
    })
    const metrics = createMetrics({ dataDir: config.dataDir, clock, ...(processMetrics && { registry: processMetrics }) })
    const nodeMetrics = createNodeMetrics()
    const listenMetrics = createListenMetrics([`${duty.name}_listen_events_total`])
    const liveness = createLiveness({ connections: () => node.getConnections(), randomBytes })
    const addresses = createAddresses({
      bridgePeer: peer,
      publicUrl: undefined,
      announceAddrs: config.announceAddrs,
      listening: () => node.getMultiaddrs().map((address) => address.decapsulate('/p2p')),
      webTransport: () => undefined,
    })
    const node: RoleNode<Services> = await createRoleNode<Services>({
      privateKey,
      // The WebSocket's port is not known before it listens, and its listener does not ask.
      listen: [...listen, `/${ip}/${config.host}/tcp/0/ws`],
      announce: config.announceAddrs,
      webSockets,
      quic,
      services: duty.services(() => addresses.reservationAddresses()),
      listenEvents: listenMetrics.service,
      metrics: metrics.libp2p,
      onTcp: (connection) => liveness.watch(connection),
      logger: libp2pLogger(log),
      version,
    })
    nodeMetrics.watch(node)
    metrics.add([versionMetric(version), ...nodeMetrics.families, ...listenMetrics.families, ...duty.families(node)])

    const addressOf = createClientAddress(config.trustedProxies)
    const listening = (): string[] => node.getMultiaddrs().map(String)
    const app = createRoleApp({
      listener: webSockets,
      addressOf,
      log,
      operation: {
        isReady: () => ready,
        health: {
          [duty.name]: () => ({ status: node.status === 'started' ? 'ok' : 'failed' }),
          quic: () => ({ status: quic === undefined ? 'off' : 'ok' }),
        },
        info: () => ({ peer, version, agent: agentOf(version), addresses: listening(), protocols: node.getProtocols() }),
        metrics,
        mayReadMetrics: createMetricsAccess(config.metrics),
        addressOf,
      },
    })
    const server = createServer({ app, webSocketServer: createWebSocketServer(), host: config.host, port: config.port, tls: undefined })

    // Started in this order, stopped in reverse.
    stack.defer(() => server.stop())
    port = await server.listen()
    node.addEventListener('peer:disconnect', ({ detail: gone }: Libp2pEvents['peer:disconnect']) => forget(node, gone))
    stack.defer(() => node.stop())
    await node.start()
    stack.defer(() => liveness.stop())
    liveness.start()
    stack.defer(() => duty.stop?.(node))
    await duty.start?.(node)
    ready = true
    stack.defer(() => {
      ready = false
    })

    log.info({ role: duty.name, peer, addresses: listening(), port }, 'started')
    return { peer, addresses: listening(), port, noQuic: missing[0]?.reason, node }
  }

  return {
    start,
    stop: () => (stopping ??= stack.disposeAsync()),
    [Symbol.asyncDispose]() {
      return this.stop()
    },
  }
}

/** What identify learned of a visitor would otherwise stay for ever. */
function forget(node: Pick<RoleNode<ServiceMap>, 'peerStore'>, gone: PeerId): void {
  node.peerStore.delete(gone).catch(() => {})
}
