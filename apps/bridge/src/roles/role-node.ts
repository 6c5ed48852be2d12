/**
 * The libp2p node of a role alone: TCP, QUIC and WebSocket, noise and TLS, yamux, and what every peer expects of another: identify and ping. Peers decide by
 * Identify who is a relay or a rendezvous point. It dials nobody.
 * Not here: the one service that the role is for (relay-role.ts, rendezvous-role.ts).
 */
import { loadAead } from '@footbridge/links/noise/aead'
import { noise } from '@footbridge/links/noise/noise'
import { yamux } from '@footbridge/links/yamux/yamux'
import type { WebSocketListener } from '@footbridge/listeners/websocket/websocket-listener'
import { identify } from '@footbridge/protocols/identify/identify'
import type { Identify } from '@libp2p/identify'
import type {
  ComponentLogger,
  Ed25519PrivateKey,
  Libp2p,
  Libp2pEvents,
  Metrics,
  MultiaddrConnection,
  ServiceMap,
  Startable,
  TypedEventTarget,
} from '@libp2p/interface'
import { ping, type Ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { createLibp2p, type ServiceFactoryMap } from 'libp2p'
import { MAX_ROLE_CONNECTIONS } from '../limits.ts'
import { agentOf } from '../node/agent.ts'
import { createConnectionCap } from '../node/connection-cap.ts'
import { ownAddresses } from '../node/own-addresses.ts'
import type { NativeTransports } from '../node/native-transports.ts'

export type BasicServices = {
  readonly identify: Identify
  readonly ping: Ping
  readonly ownAddresses: Startable
  readonly listenEvents: Startable
}
export type RoleNode<Services extends ServiceMap> = Libp2p<Services & BasicServices>

export interface RoleNodeOptions<Services extends ServiceMap> {
  readonly privateKey: Ed25519PrivateKey
  readonly listen: readonly string[]
  readonly announce: readonly string[]
  readonly webSockets: WebSocketListener
  readonly quic: NativeTransports['quic']
  readonly services: ServiceFactoryMap<Services>
  readonly listenEvents: (components: { readonly events: TypedEventTarget<Libp2pEvents> }) => Startable
  readonly metrics: (components: { readonly logger: ComponentLogger }) => Metrics
  /** Told of every TCP connection that has done its handshake. */
  readonly onTcp: (connection: MultiaddrConnection) => void
  readonly logger: ComponentLogger
  readonly version: string
}

/** Above the circuits of one peer, both ways. */
export const MAX_ROLE_STREAMS = 1_100
const MAX_PENDING_CONNECTIONS = 256
/** libp2p refuses more than 5 new connections a second from one address, and a proxy brings everybody under one. */
const MAX_CONNECTIONS_PER_ADDRESS_AND_SECOND = 100

/** Not started yet. */
export async function createRoleNode<Services extends ServiceMap>(options: RoleNodeOptions<Services>): Promise<RoleNode<Services>> {
  const { privateKey, listen, announce, webSockets, quic, services, listenEvents, metrics, onTcp, logger, version } = options
  const cap = createConnectionCap()
  const aead = await loadAead()
  const basic = { identify: identify(), ping: ping(), ownAddresses: ownAddresses(), listenEvents }
  return createLibp2p<Services & BasicServices>({
    start: false,
    privateKey,
    logger,
    metrics,
    nodeInfo: { name: 'footbridge', version, userAgent: agentOf(version) },
    addresses: { listen: [...listen], announce: [...announce] },
    transports: [tcp({ maxConnections: MAX_ROLE_CONNECTIONS }), webSockets.transport, ...(quic === undefined ? [] : [quic])],
    connectionEncrypters: [noise({ aead }), tls()],
    streamMuxers: [yamux({ maxInboundStreams: MAX_ROLE_STREAMS, maxOutboundStreams: MAX_ROLE_STREAMS })],
    connectionManager: {
      maxConnections: MAX_ROLE_CONNECTIONS,
      maxIncomingPendingConnections: MAX_PENDING_CONNECTIONS,
      inboundConnectionThreshold: MAX_CONNECTIONS_PER_ADDRESS_AND_SECOND,
    },
    connectionGater: {
      // Nobody can make it reach into its own machine or network: it has no reason to dial, so it cannot.
      denyDialPeer: () => true,
      denyInboundConnection: (connection) => !cap.admits(connection),
      denyInboundUpgradedConnection: (_peer, connection) => {
        // QUIC and WebSockets look after themselves.
        if (connection.remoteAddr.getComponents().at(-1)?.name === 'tcp') onTcp(connection)
        return false
      },
    },
    // Ours is liveness.ts.
    connectionMonitor: { enabled: false },
    services: { ...services, ...basic } as ServiceFactoryMap<Services & BasicServices>,
  })
}
