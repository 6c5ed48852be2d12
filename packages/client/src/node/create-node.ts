/**
 * The browser's libp2p node: noise, yamux, WebSocket to the bridge, circuits through it, WebRTC past it. A thin client: it dials the bridge and
 * peers through it, and leaves liveness, reconnection and reservations to the supervisor and the path manager.
 * Settings and their reasons: reference libp2p-pitfalls, section F.
 */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import type { ComponentLogger, Connection, Ed25519PrivateKey, Libp2p, PeerId, Transport } from '@libp2p/interface'
import type { TransportManager } from '@libp2p/interface-internal'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { createReserve, type Reserve, type ReservationStoreAccess } from './reserve.ts'

/** Every relayed peer counts as the bridge's host (pitfall A2.6): the stock 5 a second would hang the sixth. */
const INBOUND_CONNECTIONS_PER_SECOND = 200
const MAX_PENDING_INBOUND = 100
/** A circuit, an SDP exchange and ICE must fit. */
const ADDRESS_DIAL_TIMEOUT_MS = 15_000
const DIAL_TIMEOUT_MS = 20_000
/** Streams that a connection may open for pings: the path manager's and other people's. */
const MAX_PING_STREAMS = 4

export interface NodeParts {
  readonly key: Ed25519PrivateKey
  /** More transports: WebRTC where the browser has it. */
  readonly transports: readonly unknown[]
  /** Listen addresses beside the reservation: `/webrtc` where the browser has it. */
  readonly listen: readonly string[]
  readonly logger?: ComponentLogger
}

export interface FootbridgeNode {
  readonly libp2p: Libp2p
  /** Dials the bridge at one of these addresses, first that answers; an open connection is reused. */
  dialBridge(addresses: readonly string[], signal: AbortSignal): Promise<Connection>
  readonly reserve: Reserve
  /** Asks a peer what it speaks; libp2p tells the answer as `peer:identify`. */
  identify(connection: Connection): Promise<unknown>
  bridgeConnections(bridge: PeerId): Connection[]
}

export async function createNode({ key, transports, listen, logger }: NodeParts): Promise<FootbridgeNode> {
  let store: ReservationStoreAccess | undefined
  let transportManager: TransportManager | undefined
  const circuitRelay = circuitRelayTransport({ reservationCompletionTimeout: 10_000 })

  const libp2p = await createLibp2p({
    privateKey: key,
    addresses: { listen: [...listen] },
    transports: [
      webSockets(),
      (components) => {
        const transport = circuitRelay(components)
        transportManager = components.transportManager
        store = (transport as Transport & { reservationStore: ReservationStoreAccess }).reservationStore
        return transport
      },
      ...(transports as ReturnType<typeof webSockets>[]),
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // The stock browser gater refuses ws:// and private addresses; a bridge on a home network or localhost has both.
    connectionGater: { denyDialMultiaddr: () => false },
    connectionManager: {
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
      ping: ping({ maxInboundStreams: MAX_PING_STREAMS, maxOutboundStreams: MAX_PING_STREAMS, runOnLimitedConnection: true }),
    },
    ...(logger && { logger }),
  })
  if (store === undefined || transportManager === undefined) throw new TypeError('libp2p did not build the circuit relay transport')

  return {
    libp2p,
    identify: (connection) => libp2p.services.identify.identify(connection),
    reserve: createReserve(transportManager, store),
    async dialBridge(addresses, signal) {
      const targets: Multiaddr[] = addresses.map((address) => multiaddr(address))
      return libp2p.dial(targets, { signal })
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
