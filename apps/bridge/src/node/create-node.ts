/**
 * The bridge's libp2p node. Native peers come by TCP, QUIC and WebRTC-direct, browsers by our WebSocket, tunnel and WebTransport listeners, both over noise or TLS and yamux where
 * the transport has none of its own. Beside identify, ping and our relay it speaks what makes it a citizen of other people's networks: AutoNAT, DCUtR, Kademlia, gossipsub, mDNS.
 *
 * Ten thousand idle browsers are connected: nothing here opens streams to a peer that has not said by identify that it speaks the protocol, and the app speaks none of these but
 * identify and, in a room, gossipsub. Each number that differs from libp2p's default says why.
 * Not here: what the relay decides (relay/), who is here (peers/), who is dialled and when (discovery/), and where may be dialled (dial-policy.ts).
 */
import { loadAead } from '@footbridge/links/noise/aead'
import { noise } from '@footbridge/links/noise/noise'
import { yamux } from '@footbridge/links/yamux/yamux'
import { identify } from '@footbridge/protocols/identify/identify'
import { withReleasedStreams } from '@footbridge/protocols/service/released-streams'
import { autoNAT } from '@libp2p/autonat'
import { autoNATv2 } from '@libp2p/autonat-v2'
import { dcutr } from '@libp2p/dcutr'
import type { GossipSub } from '@libp2p/gossipsub'
import { identifyPush, type Identify } from '@libp2p/identify'
import type {
  ComponentLogger,
  Ed25519PrivateKey,
  Libp2p,
  Libp2pEvents,
  Metrics,
  MultiaddrConnection,
  PeerInfo,
  Startable,
  Transport,
  TypedEventTarget,
} from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { ping, type Ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { uPnPNAT } from '@libp2p/upnp-nat'
import { webSockets as dialledWebSockets } from '@libp2p/websockets'
import type { TunnelListener } from '@footbridge/listeners/tunnel/tunnel-listener'
import type { WebTransportListener } from '@footbridge/listeners/webtransport/webtransport-listener'
import type { WebSocketListener } from '@footbridge/listeners/websocket/websocket-listener'
import { createLibp2p } from 'libp2p'
import type { Config } from '../config/config.ts'
import { MAX_CONNECTIONS } from '../limits.ts'
import { circuitRelay, type HopOptions } from '../relay/hop.ts'
import type { Relay } from '../relay/relay.ts'
import { agentOf } from './agent.ts'
import { circuitTransport } from './circuit-transport.ts'
import { circuits, type Circuits } from './circuits.ts'
import { createConnectionCap } from './connection-cap.ts'
import type { DialPolicy } from './dial-policy.ts'
import { gossip } from './gossip.ts'
import { kademlias, type Kademlias } from './kademlia.ts'
import { listenAddresses, probeUdp, versionOf } from './listen-addresses.ts'
import { loadNativeTransports } from './native-transports.ts'
import { ownAddresses } from './own-addresses.ts'
import { portMappingClient } from './port-mappings.ts'

export type BridgeServices = Kademlias & {
  readonly identify: Identify
  readonly identifyPush: unknown
  readonly ping: Ping
  readonly autoNat: unknown
  readonly autoNatV2: unknown
  readonly dcutr: unknown
  readonly pubsub: GossipSub
  readonly relay: Relay & Startable
  readonly ownAddresses: Startable
  readonly circuits: Circuits & Startable
  readonly listenEvents: Startable
}
export type BridgeNode = Libp2p<BridgeServices>

export interface NodeOptions {
  readonly privateKey: Ed25519PrivateKey
  readonly config: Pick<
    Config,
    'dataDir' | 'host' | 'p2pPort' | 'listenAddrs' | 'announceAddrs' | 'dialPrivate' | 'mdns' | 'mdnsTags' | 'kadProtocols' | 'upnp'
  >
  readonly dialPolicy: DialPolicy
  /** Told of who is heard by mDNS. */
  readonly onHeardOnLan: (peer: PeerInfo) => void
  /** What Kademlia says of a peer, before it is said. */
  readonly kademliaAnswers: (mapper: (info: PeerInfo) => PeerInfo) => (info: PeerInfo) => PeerInfo
  /** Whether a peer may be given more gossip. */
  readonly mayHaveGossip: (peer: string) => boolean
  /** Told of a transport that this machine, or its ports, cannot have. */
  readonly onMissing: (what: string, reason: string) => void
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

/** Handshakes at once: a class opens its laptops. Caps per address are the WebSocket listener's and connection-cap.ts's. */
const MAX_PENDING_CONNECTIONS = 512
/**
 * libp2p refuses more than 5 new connections a second from one address; behind a proxy or a school's NAT that is everybody, and the refusal is a hang.
 */
const MAX_CONNECTIONS_PER_ADDRESS_AND_SECOND = 500
/** Both ways; above the circuits of one peer. */
const MAX_STREAMS = 1_100

/** Peers that Kademlia or a meeting on the LAN may have us dial at once. */
const MAX_PARALLEL_DIALS = 32

/** Not started yet. */
export async function createNode(options: NodeOptions): Promise<BridgeNode> {
  const { privateKey, config, dialPolicy, webSockets, tunnels, webTransport, relay, onUpgraded, onMissing, logger, version } = options
  const { host } = config
  const cap = createConnectionCap()
  // libp2p's type does not name `lookup`; its sockets take it.
  const dialOpts = { noDelay: true, lookup: dialPolicy.lookup }
  const aead = await loadAead()
  const native = await loadNativeTransports({ maxStreams: MAX_STREAMS, dataDir: config.dataDir })
  for (const { what, reason } of native.missing) onMissing(what, reason)
  const listening = await nativeListening(config, native.missing, onMissing)
  const isServer = config.dialPrivate.length > 0 || config.announceAddrs.length > 0
  const isOfUse = (info: PeerInfo): PeerInfo => ({ ...info, multiaddrs: info.multiaddrs.filter((address) => dialPolicy.isOfUse(address)) })

  return createLibp2p<BridgeServices>({
    start: false,
    privateKey,
    logger,
    metrics: options.metrics,
    nodeInfo: { name: 'footbridge', version, userAgent: agentOf(version) },
    addresses: {
      listen: [
        ...listening,
        `/${versionOf(host)}/${host}/tcp/0/ws`,
        `/${versionOf(host)}/${host}/tcp/0/http`,
        ...(webTransport ? [`/${versionOf(webTransport.host)}/${webTransport.host}/udp/${webTransport.port}/quic-v1/webtransport`] : []),
      ],
      announce: [...options.announce],
      appendAnnounce: [...options.appendAnnounce],
    },
    transports: [
      tcp({ maxConnections: MAX_CONNECTIONS, backlog: 512, dialOpts }),
      webSockets.transport,
      tunnels.transport,
      ...(webTransport ? [webTransport.listener.transport] : []),
      ...(native.quic ? [native.quic] : []),
      ...(native.webRtcDirect ? [native.webRtcDirect] : []),
      dialOnly(dialledWebSockets()),
      circuitTransport(),
    ],
    // Noise first: it is what we made cheap, and every peer has it. TLS is for those that have nothing else.
    connectionEncrypters: [noise({ aead }), tls()],
    streamMuxers: [yamux({ maxInboundStreams: MAX_STREAMS, maxOutboundStreams: MAX_STREAMS })],
    connectionManager: {
      // At this number libp2p would close idle browsers. connection-cap.ts and outbound-cap.ts keep below it.
      maxConnections: 2 * MAX_CONNECTIONS,
      maxIncomingPendingConnections: MAX_PENDING_CONNECTIONS,
      inboundConnectionThreshold: MAX_CONNECTIONS_PER_ADDRESS_AND_SECOND,
      maxParallelDials: MAX_PARALLEL_DIALS,
    },
    connectionGater: {
      denyDialMultiaddr: (address) => !dialPolicy.allows(address),
      denyInboundConnection: (connection) => !cap.admits(connection),
      denyInboundUpgradedConnection: (_peer, connection) => {
        onUpgraded(connection)
        return false
      },
      denyOutboundUpgradedConnection: (_peer, connection) => {
        onUpgraded(connection)
        return false
      },
    },
    // Ours is liveness.ts, and the WebSocket listener's own ping.
    connectionMonitor: { enabled: false },
    peerDiscovery: config.mdns ? config.mdnsTags.map((tag) => heardOnLan(tag, dialPolicy, options.onHeardOnLan)) : [],
    services: {
      identify: identify(),
      identifyPush: identifyPush(),
      ping: withReleasedStreams(ping()),
      relay: circuitRelay(relay),
      ownAddresses: ownAddresses(),
      circuits: circuits(),
      listenEvents: options.listenEvents,
      autoNat: autoNAT(),
      autoNatV2: autoNATv2(),
      dcutr: dcutr(),
      pubsub: gossip(options.mayHaveGossip),
      ...kademlias({
        protocols: config.kadProtocols,
        clientMode: isServer ? false : undefined,
        peerInfoMapper: options.kademliaAnswers(isOfUse),
      }),
      ...(config.upnp && {
        upnp: uPnPNAT({ portMappingClient: portMappingClient(agentOf(version), logger.forComponent('libp2p:upnp-nat')) }),
      }),
    },
  })
}

/** Of the places that nobody asked for by name, those that can be had. */
async function nativeListening(
  config: NodeOptions['config'],
  missing: readonly { readonly what: string }[],
  onMissing: NodeOptions['onMissing'],
): Promise<string[]> {
  const { required, optional } = listenAddresses(config)
  const had = [...required]
  for (const address of optional) {
    const what = address.endsWith('/quic-v1') ? 'QUIC' : 'WebRTC-direct'
    if (missing.some((each) => each.what === what)) continue
    const reason = await probeUdp(address)
    if (reason === undefined) had.push(address)
    else onMissing(`${what} on ${address}`, reason)
  }
  return had
}

/** The bridge's own WebSocket listener is the app's port; this one is for relays that are reached by WebSocket alone. */
function dialOnly<Components>(create: (components: Components) => Transport): (components: Components) => Transport {
  return (components) => Object.assign(create(components), { listenFilter: () => [] })
}

function heardOnLan(serviceTag: string, dialPolicy: DialPolicy, onHeard: NodeOptions['onHeardOnLan']): ReturnType<typeof mdns> {
  return (components) => {
    const discovery = mdns({ serviceTag })(components)
    discovery.addEventListener('peer', ({ detail }) => {
      dialPolicy.heardOnLan(detail.multiaddrs)
      onHeard(detail)
    })
    return discovery
  }
}
