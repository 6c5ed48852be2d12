/**
 * The browser's libp2p node: noise, yamux, the first hops to the bridge, circuits through it, WebRTC past it. A thin client: it dials the bridge and
 * peers through it, and leaves liveness, reconnection and reservations to the supervisor and the path manager.
 * Settings and their reasons: reference libp2p-pitfalls, section F.
 */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import type { ComponentLogger, Connection, Ed25519PrivateKey, Libp2p, Listener, PeerId, Transport } from '@libp2p/interface'
import type { TransportManager } from '@libp2p/interface-internal'
import type { GossipSubComponents } from '@libp2p/gossipsub'
import { identify } from '@footbridge/protocols/identify/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { withReleasedStreams } from '@footbridge/protocols/service/released-streams'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { fromKnownRelays } from './known-relays.ts'
import { createListen } from './listen.ts'
import { createReserve, type Reserve, type ReservationStoreAccess } from './reserve.ts'
import { createWatchedMuxers, type Signs } from './signs.ts'
import { watchedYamux } from './watched-muxer.ts'
import { isReal } from './web-rtc.ts'
import { closingWebSockets } from './web-sockets.ts'
import { lazyWebTransports } from './web-transports.ts'

/** Every relayed peer counts as the bridge's host (pitfall A2.6): the stock 5 a second would hang the sixth. */
const INBOUND_CONNECTIONS_PER_SECOND = 200
const MAX_PENDING_INBOUND = 100
/** A circuit, an SDP exchange and ICE must fit. */
const ADDRESS_DIAL_TIMEOUT_MS = 15_000
const DIAL_TIMEOUT_MS = 20_000
/** Streams that a connection may open for pings: the path manager's and other people's. */
const MAX_PING_STREAMS = 4
/** A page with a hundred peers holds a circuit and a direct connection to each, and the link. The stock 100 would begin to prune by age. */
const MAX_CONNECTIONS = 300
/** Addresses of a bridge that are dialled at a time. */
const MAX_BRIDGE_ADDRESSES = 4
/** What libp2p reports of a dial once the network let it through. */
const THROUGH: ReadonlySet<string> = new Set(['upgrader:encrypt-outbound-connection', 'webtransport:open-authentication-stream'])

export interface NodeParts {
  readonly key: Ed25519PrivateKey
  /** More transports: WebRTC where the browser has it, and the tunnel. */
  readonly transports: readonly unknown[]
  /** Listen addresses beside the reservation: `/webrtc` where the browser has it. */
  readonly listen: readonly string[]
  readonly logger?: ComponentLogger
  /** Milliseconds, for signs of life. */
  readonly now: () => number
}

export interface FootbridgeNode {
  readonly libp2p: Libp2p
  /**
   * A new connection to the bridge at one of these addresses, the first that answers. Past libp2p's dial queue, which gives a second dial the first
   * one's end: dials overlap here, because one that hangs must not hold up the next.
   * @param onThrough called when the first packets went there and back, before the handshake of libp2p
   * @throws AggregateError with what each address said
   */
  dialBridge(addresses: readonly string[], signal: AbortSignal, onThrough?: () => void): Promise<Connection>
  /** Whether there is a transport for this address, and a browser that has what it needs. */
  isDialable(address: string): boolean
  /**
   * A new connection to a peer at exactly this address. Past libp2p's dial queue, which answers with any other connection to that peer (a phantom of WebRTC
   * in place of a circuit) and lets a dial of a circuit wait for one of WebRTC that hangs.
   */
  dial(address: string, signal: AbortSignal): Promise<Connection>
  /** Ends a connection that is dead, or not needed, without waiting for anybody. */
  cut(connection: Connection): void
  /** Signs of life of the link and of circuits. */
  readonly signs: Signs
  readonly reserve: Reserve
  /** Asks a peer what it speaks; libp2p tells the answer as `peer:identify`. */
  identify(connection: Connection): Promise<unknown>
  bridgeConnections(bridge: PeerId): Connection[]
  /** What gossipsub is made of, should it be needed (gossip.ts). */
  readonly components: GossipSubComponents
  /**
   * Listens at one more address.
   * @throws FootbridgeError `bad_request` when no transport here can, `unavailable` when it could not, as at a port that is taken
   */
  listen(address: string): Promise<Listener>
}

export async function createNode({ key, transports, listen, logger, now }: NodeParts): Promise<FootbridgeNode> {
  let store: ReservationStoreAccess | undefined
  let transportManager: TransportManager | undefined
  /** Asked for a reservation at some time: a circuit may come while the next one is made. */
  const relays = new Set<string>()
  const circuitRelay = circuitRelayTransport({ reservationCompletionTimeout: 10_000 })
  const watched = createWatchedMuxers(now)

  const libp2p = await createLibp2p({
    privateKey: key,
    addresses: { listen: [...listen] },
    transports: [
      closingWebSockets(),
      lazyWebTransports(watched),
      fromKnownRelays(
        (components) => {
          const transport = circuitRelay(components)
          transportManager = components.transportManager
          store = (transport as Transport & { reservationStore: ReservationStoreAccess }).reservationStore
          return transport
        },
        (peer) => relays.has(peer),
      ),
      ...(transports as ReturnType<typeof closingWebSockets>[]),
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [watchedYamux(watched)],
    // The stock browser gater refuses ws:// and private addresses; a bridge on a home network or localhost has both.
    connectionGater: { denyDialMultiaddr: () => false, denyInboundConnection: async (connection) => !(await isReal(connection)) },
    connectionManager: {
      maxConnections: MAX_CONNECTIONS,
      inboundConnectionThreshold: INBOUND_CONNECTIONS_PER_SECOND,
      maxIncomingPendingConnections: MAX_PENDING_INBOUND,
      addressDialTimeout: ADDRESS_DIAL_TIMEOUT_MS,
      dialTimeout: DIAL_TIMEOUT_MS,
      // The reconnect queue cannot bring back a WebSocket (natlab 5) and would only race the supervisor.
      reconnectRetries: 0,
    },
    // It aborts at the first ping that queues behind a file (A5.7) and takes the one ping stream a connection may have.
    connectionMonitor: { enabled: false },
    transportManager: { faultTolerance: 1 },
    services: {
      identify: identify({ runOnLimitedConnection: true }),
      parts: (components: GossipSubComponents) => ({ components }),
      ping: withReleasedStreams(
        ping({ maxInboundStreams: MAX_PING_STREAMS, maxOutboundStreams: MAX_PING_STREAMS, runOnLimitedConnection: true }),
      ),
    },
    ...(logger && { logger }),
  })
  if (store === undefined || transportManager === undefined) throw new TypeError('libp2p did not build the circuit relay transport')

  const manager = transportManager
  const reserve = createReserve(transportManager, store)
  return {
    libp2p,
    components: libp2p.services.parts.components,
    identify: (connection) => libp2p.services.identify.identify(connection),
    listen: createListen(transportManager),
    reserve(bridge, signal) {
      relays.add(bridge.toString())
      return reserve(bridge, signal)
    },
    signs: watched.signs,
    dial: (address, signal) => manager.dial(multiaddr(address), { signal }),
    cut: (connection) => connection.abort(new Error('the link was left')),
    isDialable: (address) => manager.dialTransportForMultiaddr(multiaddr(address)) !== undefined,
    async dialBridge(addresses, signal, onThrough) {
      const settled = new AbortController()
      const each = AbortSignal.any([signal, settled.signal])
      const onProgress = ({ type }: { readonly type: string }): void => {
        if (THROUGH.has(type)) onThrough?.()
      }
      const dials = addresses
        .slice(0, MAX_BRIDGE_ADDRESSES)
        .map((address) => manager.dial(multiaddr(address), { signal: each, onProgress }))
      try {
        const first = await Promise.any(dials)
        // Two that answered at the same moment: one is enough.
        for (const dial of dials)
          dial.then(
            (other) => other !== first && other.abort(new Error('another address was quicker')),
            () => undefined,
          )
        return first
      } finally {
        settled.abort()
      }
    },
    bridgeConnections: (bridge) =>
      libp2p.getConnections(bridge).filter((connection) => connection.status === 'open' && !isCircuit(connection)),
  }
}

/** Relayed by somebody, as opposed to a connection of its own. */
export function isCircuit(connection: Connection): boolean {
  const text = connection.remoteAddr.toString()
  return text.includes('/p2p-circuit') && !text.includes('/webrtc')
}

export function isWebRtc(connection: Connection): boolean {
  return connection.remoteAddr.toString().includes('/webrtc')
}
