/**
 * The composition root: every part of a bridge, made and wired in one place, but for what the network sees of it (network.ts) and what it answers over HTTP (web.ts). Reads top to
 * bottom in the order of dependence; `start` and `stop` go in the orders written there. Not here: settings (config/), commands and signals (main.ts, cli/), and anything that decides.
 */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Libp2pEvents, PeerId, Connection } from '@libp2p/interface'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { createTunnelListener } from '@footbridge/listeners/tunnel/tunnel-listener'
import type { LoadedBinding } from '@footbridge/listeners/webtransport/binding'
import { createWebTransportListener } from '@footbridge/listeners/webtransport/webtransport-listener'
import { createWebSocketListener } from '@footbridge/listeners/websocket/websocket-listener'
import type { Storage } from '@footbridge/storage/ports'
import { getThinWaistAddresses } from '@libp2p/utils'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import type { Hono } from 'hono'
import type { Registry as MetricRegistry } from 'prom-client'

import { plainSettings } from './admin/diagnosis.ts'
import { createAdminRoutes } from './admin/routes.ts'
import { createKademliaPlace } from './announce/kademlia-place.ts'
import { createBudgets, tokenKey } from './auth/budgets.ts'
import { createRateLimits } from './auth/rate-limits.ts'
import { createSessions, grantLimits } from './auth/sessions.ts'
import { createTokens, type Tokens } from './auth/tokens.ts'
import { localUrl } from './cli/banner.ts'
import type { Config } from './config/config.ts'
import { createControl, type Control } from './control/control.ts'
import { readCertificate } from './http/certificate.ts'
import { createClientAddress } from './http/client-address.ts'
import { closeError } from './http/close-codes.ts'
import { createSightings } from './http/sightings.ts'
import { FAREWELL_MS, HOUSEKEEPING_MS, RESTART_AWAY_MS } from './limits.ts'
import { createAddresses, originToMultiaddr } from './node/addresses.ts'
import { type BridgeNode, createNode } from './node/create-node.ts'
import { createDialPolicy } from './node/dial-policy.ts'
import { loadIdentity } from './node/identity.ts'
import { versionOf } from './node/listen-addresses.ts'
import { createLiveness } from './node/liveness.ts'
import { createOutboundCap } from './node/outbound-cap.ts'
import { createStrangers } from './node/strangers.ts'
import { createNetwork } from './network.ts'
import { createRegistry, type Registry } from './peers/registry.ts'
import { createIceServers } from './ice-servers.ts'
import { createPresence } from './presence/presence.ts'
import type { Relay } from './relay/relay.ts'
import { createRelayLimitSettings } from './relay-limits.ts'
import { readSecret } from './turn/read-secret.ts'
import { createTurnCredentials } from './turn/turn-credentials.ts'
import { createRelayPolicy, sessionLimits } from './relay-policy.ts'
import { createAllowance } from './stun/allowance.ts'
import { listenForStun } from './stun/stun-ports.ts'
import { createStunServer } from './stun/stun-server.ts'
import { bridgeMetrics } from './telemetry/bridge-metrics.ts'
import { httpTally } from './telemetry/http-metrics.ts'
import { type Log, libp2pLogger } from './telemetry/log.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { createListenMetrics, createNodeMetrics } from './telemetry/node-metrics.ts'
import { limitTally, relayMetrics } from './telemetry/relay-metrics.ts'
import { createWeb } from './web.ts'

export interface BridgeParts {
  readonly storage: Storage
  readonly log: Log
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  readonly randomBytes: (length: number) => Uint8Array
  readonly version: string
  /** The native WebTransport, or why this machine has none; without it the bridge runs without. */
  readonly webTransport?: LoadedBinding
  /** The numbers of the process, where it has any: one for all that runs in it. */
  readonly processMetrics?: MetricRegistry
  /** Folder of the built web app. */
  readonly webRoot?: string
}

export interface RunningBridge {
  /** Where a browser on this machine opens the app, or the public URL. No trailing slash. */
  readonly url: string
  readonly port: number
  /** The bridge's PeerID. */
  readonly peer: string
  /** For native peers. */
  readonly addresses: readonly string[]
  /** The UDP port, or why there is none. */
  readonly webTransport: { readonly port: number } | { readonly reason: string }
  /** UDP ports that answer STUN. */
  readonly stunPorts: readonly number[]
  readonly tokens: Tokens
  readonly registry: Registry
  readonly relay: Relay
  /** To look at, for tests and diagnosis: its connections and their streams. */
  readonly node: BridgeNode
  /** For the control socket; must not be reachable from elsewhere. */
  readonly admin: Hono
}

export interface Bridge extends AsyncDisposable {
  /** Once. @throws IdentityError, or Node's error when a port cannot be had; `stop` cleans up after either. */
  start(): Promise<RunningBridge>
  /** Idempotent; leaves no socket and no timer. The storage stays open: whoever opened it closes it. */
  stop(): Promise<void>
}

const WEB_ROOT = fileURLToPath(new URL('../../web/dist', import.meta.url))

export function createBridge(config: Config, parts: BridgeParts): Bridge {
  const { storage, log, clock, randomBytes, version, webRoot = WEB_ROOT, webTransport = { reason: 'this program has none' } } = parts
  const { processMetrics } = parts
  /** What has been started, to be stopped in reverse. */
  const stack = new AsyncDisposableStack()
  let stopping: Promise<void> | undefined

  const start = async (): Promise<RunningBridge> => {
    const privateKey = await loadIdentity(config.dataDir)
    const peer = peerIdFromPrivateKey(privateKey).toString()
    const tls = config.tls && (await readCertificate(config.tls))
    let ready = false
    let port = config.port

    const registry = createRegistry({ clock, connectionsOf: (id) => openConnections(peerIdFromString(id)).length })
    const budgets = createBudgets({ storage, clock, onError: (error) => log.error({ err: error }, 'usage could not be written down') })
    const tokens = createTokens({
      storage,
      clock,
      randomBytes,
      onRevoked: (tokenId) => registry.endByToken(tokenId, 'revoked'),
      onLimited: (record) => {
        registry.limitToken(record.id, grantLimits(record))
        relay.limitsChanged()
        control.limitsChanged(record.id)
      },
      usedToday: (tokenId) => budgets.usedToday(tokenId),
    })

    const relayLimits = createRelayLimitSettings({
      storage,
      onChange: () => relay.limitsChanged(),
      onError: (error) => log.error({ err: error }, 'the limits set before cannot be read; the defaults hold'),
    })
    await relayLimits.load()
    const publicAddress = config.publicUrl === undefined ? undefined : originToMultiaddr(config.publicUrl)?.[0]
    const allowance = createAllowance({ now: clock })
    const stun = createStunServer({ allowance })
    const stunPorts: number[] = []
    const webTransports =
      config.wtPort === undefined || !('binding' in webTransport)
        ? undefined
        : createWebTransportListener({
            binding: webTransport.binding,
            secret: privateKey.raw,
            now: clock,
            ...(config.stun && { neighbour: (datagram, from, reply) => stun.receive(datagram, from, reply) }),
          })
    const addresses = createAddresses({
      ...config,
      bridgePeer: peer,
      listening: () => node.getMultiaddrs().map((address) => address.decapsulate('/p2p')),
      webTransport: () =>
        webTransports?.port === undefined
          ? undefined
          : { host: config.wtHost, port: webTransports.port, suffix: webTransports.addressSuffix() },
    })
    const metrics = createMetrics({ dataDir: config.dataDir, clock, ...(processMetrics && { registry: processMetrics }) })
    const nodeMetrics = createNodeMetrics((id) => registry.get(id) !== undefined)
    const listenMetrics = createListenMetrics(['relay_listen_events_total', 'rendezvous_listen_events_total'])
    const limitsMet = limitTally()
    const httpAnswers = httpTally()
    metrics.add([
      ...bridgeMetrics(() => registry.list(), version),
      ...relayMetrics(() => relay.totals()),
      ...nodeMetrics.families,
      ...listenMetrics.families,
      limitsMet,
      httpAnswers,
    ])
    const webSockets = createWebSocketListener({
      // Node's HTTP server takes IPv4 on :: as well.
      getAddrs: () =>
        (config.host === '::' ? ['/ip4/0.0.0.0', '/ip6/::'] : [`/${versionOf(config.host)}/${config.host}`])
          .flatMap((base) => getThinWaistAddresses(multiaddr(`${base}/tcp/${port}`)))
          .map((address) => address.encapsulate(`${tls ? '/tls' : ''}/ws`)),
    })
    const tunnels = createTunnelListener({ randomBytes })
    const liveness = createLiveness({ connections: () => node.getConnections(), randomBytes })
    const kademlia = createKademliaPlace({
      protocols: () => config.kadProtocols.filter((protocol) => node.getProtocols().includes(protocol)),
      bridgePeer: peer,
      isSession: (id) => registry.get(id) !== undefined,
      peerStore: () => node.peerStore,
    })
    const dialPolicy = createDialPolicy({
      ownPeer: peer,
      operatorAddrs: [...config.bootstrapAddrs, ...config.rendezvousAddrs, ...config.relayAddrs],
      privateRanges: config.dialPrivate,
    })
    const node = await createNode({
      privateKey,
      config,
      dialPolicy,
      onHeardOnLan: (heard) => network.heardOnLan(heard),
      kademliaAnswers: (mapper) => kademlia.answers(mapper),
      mayHaveGossip: (id) => relay.beside.mayPass(id),
      onMissing: (what, reason) => log.warn({ reason }, `done without ${what}`),
      webSockets,
      tunnels,
      webTransport:
        webTransports === undefined || config.wtPort === undefined
          ? undefined
          : { listener: webTransports, host: config.wtHost, port: config.wtPort },
      relay: {
        policy: createRelayPolicy({ registry, budgets, limits: () => relayLimits.current() }),
        events: {
          reserved: (id) => registry.reserved(id.toString()),
          unreserved: (id) => registry.unreserved(id.toString()),
          held: (id, notice) => {
            limitsMet.count(notice.limit, notice.scope)
            control.held(id, notice)
          },
          ending: (id, notice) => control.ending(id, notice),
        },
        relayAddresses: () => addresses.reservationAddresses(),
        now: clock,
      },
      announce: config.announceAddrs.length > 0 ? [...config.announceAddrs, ...(publicAddress ? [publicAddress] : [])] : [],
      appendAnnounce: publicAddress === undefined ? [] : [publicAddress],
      onUpgraded: (connection) => liveness.watch(connection),
      metrics: metrics.libp2p,
      listenEvents: listenMetrics.service,
      logger: libp2pLogger(log),
      version,
    })
    nodeMetrics.watch(node)
    const openConnections = (id: PeerId): Connection[] => node.getConnections(id).filter(({ status }) => status === 'open')
    const tcpAddresses = (): Multiaddr[] => listeningOn(node.getMultiaddrs())
    const relay = node.services.relay

    const addressOf = createClientAddress(config.trustedProxies)
    const turn = config.turn && createTurnCredentials({ urls: config.turn.urls, secret: await readSecret(config.turn.secret), clock })
    const sessions = createSessions({
      storage,
      tokens,
      budgets,
      rateLimits: createRateLimits({ randomBytes }),
      registry,
      privateKey,
      addresses,
      settings: {
        name: config.name,
        version,
        guests: config.guests,
      },
      iceServers: createIceServers({ config, stunPorts: () => stunPorts, turn }),
      onAdmitted: ({ ip }) => allowance.vouch(ip),
      clock,
      randomBytes,
    })
    const control: Control = createControl({
      node,
      registry,
      limitsOf: (id) => sessionLimits(registry.get(id), (tokenId) => budgets.countedToday(tokenKey(tokenId))),
      clock,
      random: () => Buffer.from(randomBytes(4)).readUInt32BE() / 2 ** 32,
    })
    const presence = createPresence({ node, registry, clock })
    const network = createNetwork({
      node,
      privateKey,
      dialPolicy,
      registry,
      kademlia,
      config,
      storage,
      addresses,
      log,
      clock,
      randomBytes,
    })
    metrics.add(network.metrics)
    const sightings = createSightings({ randomBytes, addressOf })
    const web = await createWeb({
      config,
      version,
      webRoot,
      tls,
      node,
      webSockets,
      tunnels,
      registry,
      sessions,
      network,
      addresses,
      sightings,
      addressOf,
      storage,
      metrics,
      isReady: () => ready,
      has: { webTransport: () => webTransports?.port !== undefined, stun: () => stunPorts.length > 0 },
      onAnswered: (...answer) => httpAnswers.answered(...answer),
      log,
      clock,
    })

    // Effects: what follows from a fact, and the only place where features meet.
    const onConnection = ({ detail: { remotePeer } }: Libp2pEvents['connection:open' | 'connection:close']): void => {
      // libp2p's own books are in order only after its listeners ran.
      queueMicrotask(() => registry.connectionsChanged(remotePeer.toString()))
    }
    const unsubscribe = registry.subscribe(({ peer: id, after }) => {
      if (after.state !== 'ended') return
      log.info({ peer: id, reason: after.reason }, 'session ended')
      const peerId = peerIdFromString(id)
      relay.release(peerId)
      tunnels.end(id, closeError(after.reason))
      for (const connection of node.getConnections(peerId)) connection.abort(closeError(after.reason))
    })

    // Started in this order, stopped in reverse.
    stack.defer(() => budgets.stop())
    budgets.start()
    const housekeeping = setInterval(() => {
      tokens.prune().catch((error: unknown) => log.error({ err: error }, 'housekeeping failed'))
    }, HOUSEKEEPING_MS).unref()
    stack.defer(() => clearInterval(housekeeping))
    registry.start()
    stack.defer(unsubscribe)
    stack.defer(() => registry.stop())

    stack.defer(() => web.stop())
    port = await web.start()

    node.addEventListener('connection:open', onConnection)
    node.addEventListener('connection:close', onConnection)
    for (const part of [createOutboundCap(node), createStrangers(node)]) {
      stack.defer(() => part.stop())
      part.start()
    }
    stack.defer(() => node.stop())
    await node.start()
    stack.defer(() => stun.stop())
    if (config.stun) {
      const onMissing = (missing: number, error: unknown): void =>
        log.warn({ err: error, port: missing }, 'no STUN on this UDP port: it cannot be had')
      const wanted = [config.wtPort ?? port, config.p2pPort, port] as const
      stunPorts.push(...(await listenForStun(stun, { host: config.wtHost, shared: webTransports?.port, wanted, onMissing })))
    }
    stack.defer(() => liveness.stop())
    liveness.start()
    stack.defer(() => presence.stop())
    await presence.start()
    stack.defer(() => control.stop())
    await control.start()
    stack.defer(() => network.stop())
    await network.start()
    ready = true
    stack.defer(async () => {
      ready = false
      await drain(relay, control)
    })

    const url = config.publicUrl ?? localUrl(config, port)
    log.info({ url, peer, relayAddresses: addresses.relayAddresses() }, 'started')
    return {
      url,
      port,
      peer,
      addresses: addresses.relayAddresses(),
      webTransport: describeWebTransport(webTransports?.port),
      stunPorts,
      tokens,
      registry,
      relay,
      node,
      admin: createAdminRoutes({
        tokens,
        registry,
        relay,
        relayLimits,
        relayAddresses: () => addresses.relayAddresses(),
        describe: () => ({ url, peer, version }),
        network: () => network.status(),
        sightings,
        diagnose: async () => ({
          settings: plainSettings(config),
          url,
          peer,
          version,
          port,
          p2pPort: tcpAddresses().map((address) => Number(address.getComponents()[1]?.value))[0],
          webTransport: describeWebTransport(webTransports?.port),
          stunPorts,
          addresses: addresses.relayAddresses(),
          processLimits: await readFile('/proc/self/limits', 'utf8').catch(() => undefined),
        }),
      }),
    }
  }

  const describeWebTransport = (port: number | undefined): RunningBridge['webTransport'] => {
    if (port !== undefined) return { port }
    return { reason: 'binding' in webTransport ? 'switched off by --wt-port' : webTransport.reason }
  }

  /** Nothing new begins; who is here is told, and what runs may run out. */
  const drain = async (relay: Relay, control: Control): Promise<void> => {
    control.draining({ afterMs: config.drainMs, awayMs: RESTART_AWAY_MS })
    const drained = relay.drain(config.drainMs)
    await Promise.all([drained, config.drainMs > 0 && new Promise((resolve) => setTimeout(resolve, FAREWELL_MS))])
  }

  return {
    start,
    stop: () => (stopping ??= stack.disposeAsync()),
    [Symbol.asyncDispose]() {
      return this.stop()
    },
  }
}

/** Plain TCP addresses without /p2p. */
function listeningOn(addresses: readonly Multiaddr[]): Multiaddr[] {
  return addresses.map((address) => address.decapsulate('/p2p')).filter((address) => address.getComponents().at(-1)?.name === 'tcp')
}
