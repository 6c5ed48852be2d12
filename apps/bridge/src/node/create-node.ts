/**
 * The bridge's libp2p node: TCP for native peers, our WebSocket, tunnel and WebTransport listeners for browsers, noise, yamux, identify, ping and our relay. It dials nobody.
 * Each number that differs from libp2p's default says why. Not here: what the relay decides (relay/), who is here (peers/).
 */
import { loadAead } from '@footbridge/links/noise/aead'
import { noise } from '@footbridge/links/noise/noise'
import { yamux } from '@footbridge/links/yamux/yamux'
import { identify, type Identify } from '@libp2p/identify'
import type {
  ComponentLogger,
  Ed25519PrivateKey,
  Libp2p,
  Libp2pEvents,
  Metrics,
  MultiaddrConnection,
  Startable,
  TypedEventTarget,
} from '@libp2p/interface'
import { ping, type Ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import type { TunnelListener } from '@footbridge/listeners/tunnel/tunnel-listener'
import type { WebTransportListener } from '@footbridge/listeners/webtransport/webtransport-listener'
import type { WebSocketListener } from '@footbridge/listeners/websocket/websocket-listener'
import { createLibp2p } from 'libp2p'
import { circuitRelay, type HopOptions } from '../relay/hop.ts'
import type { Relay } from '../relay/relay.ts'
import { agentOf } from './agent.ts'
import { createConnectionCap } from './connection-cap.ts'
import { ownAddresses } from './own-addresses.ts'

export type BridgeServices = {
  readonly identify: Identify
  readonly ping: Ping
  readonly relay: Relay & Startable
  readonly ownAddresses: Startable
  readonly listenEvents: Startable
}
export type BridgeNode = Libp2p<BridgeServices>

export interface NodeOptions {
  readonly privateKey: Ed25519PrivateKey
  readonly host: string
  readonly p2pPort: number
  readonly webSockets: WebSocketListener
  readonly tunnels: TunnelListener
  /** Undefined where it does not run. */
  readonly webTransport: { readonly listener: WebTransportListener; readonly host: string; readonly port: number } | undefined
  readonly relay: HopOptions
  /** Announced instead of what it listens on; empty announces that. */
  readonly announce: readonly string[]
  readonly appendAnnounce: readonly string[]
  /** Told of every connection that has done its handshake. */
  readonly onUpgraded: (connection: MultiaddrConnection) => void
  readonly metrics: (components: { readonly logger: ComponentLogger }) => Metrics
  /** Counts where it listens, for the metrics. */
  readonly listenEvents: (components: { readonly events: TypedEventTarget<Libp2pEvents> }) => Startable
  readonly logger: ComponentLogger
  readonly version: string
}

/** Above the virtual peers of one bridge, with room for native visitors. */
const MAX_CONNECTIONS = 12_000
/** Handshakes at once: a class opens its laptops. Caps per address are the WebSocket listener's and connection-cap.ts's. */
const MAX_PENDING_CONNECTIONS = 512
/**
 * libp2p refuses more than 5 new connections a second from one address; behind a proxy or a school's NAT that is everybody, and the refusal is a hang.
 */
const MAX_CONNECTIONS_PER_ADDRESS_AND_SECOND = 500
/** Both ways; above the circuits of one peer. */
const MAX_STREAMS = 1_100

/** Not started yet. */
export async function createNode(options: NodeOptions): Promise<BridgeNode> {
  const {
    privateKey,
    host,
    p2pPort,
    webSockets,
    tunnels,
    webTransport,
    relay,
    announce,
    appendAnnounce,
    onUpgraded,
    metrics,
    listenEvents,
    logger,
    version,
  } = options
  const ip = versionOf(host)
  const cap = createConnectionCap()
  const aead = await loadAead()
  return createLibp2p<BridgeServices>({
    start: false,
    privateKey,
    logger,
    metrics,
    nodeInfo: { name: 'footbridge', version, userAgent: agentOf(version) },
    addresses: {
      listen: [
        `/${ip}/${host}/tcp/${p2pPort}`,
        `/${ip}/${host}/tcp/0/ws`,
        `/${ip}/${host}/tcp/0/http`,
        ...(webTransport ? [`/${versionOf(webTransport.host)}/${webTransport.host}/udp/${webTransport.port}/quic-v1/webtransport`] : []),
      ],
      announce: [...announce],
      appendAnnounce: [...appendAnnounce],
    },
    transports: [
      tcp({ maxConnections: MAX_CONNECTIONS, backlog: 512 }),
      webSockets.transport,
      tunnels.transport,
      ...(webTransport ? [webTransport.listener.transport] : []),
    ],
    connectionEncrypters: [noise({ aead })],
    streamMuxers: [yamux({ maxInboundStreams: MAX_STREAMS, maxOutboundStreams: MAX_STREAMS })],
    connectionManager: {
      maxConnections: MAX_CONNECTIONS,
      maxIncomingPendingConnections: MAX_PENDING_CONNECTIONS,
      inboundConnectionThreshold: MAX_CONNECTIONS_PER_ADDRESS_AND_SECOND,
    },
    connectionGater: {
      // Nobody can make the bridge reach into its own machine or network: it has no reason to dial, so it cannot.
      denyDialPeer: () => true,
      denyInboundConnection: (connection) => !cap.admits(connection),
      denyInboundUpgradedConnection: (_peer, connection) => {
        onUpgraded(connection)
        return false
      },
    },
    // Ours is liveness.ts, and the WebSocket listener's own ping.
    connectionMonitor: { enabled: false },
    services: { identify: identify(), ping: ping(), relay: circuitRelay(relay), ownAddresses: ownAddresses(), listenEvents },
  })
}

function versionOf(host: string): 'ip4' | 'ip6' {
  return host.includes(':') ? 'ip6' : 'ip4'
}
