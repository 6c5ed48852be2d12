/** For tests: a relay of our own in a libp2p node over TCP on loopback, stock clients, and raw ones that speak HOP and STOP by hand. */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import type { Connection, Libp2p, PeerId, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { ping, type Ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import type { Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { vi } from 'vitest'
import { circuitRelay } from './hop.ts'
import { RELAY_LIMITS, type RelayLimits } from './limits.ts'
import type { Relay, RelayPolicy } from './relay.ts'
import { openPolicy } from './test-policy.ts'
import { HOP_PROTOCOL, STATUS, STOP_PROTOCOL, decodeHopMessage, encodeHopMessage, encodeStopMessage, type HopMessage } from './wire.ts'

/** As the bridge's own node has it. */
export const WINDOW_BYTES = 512 * 1024

export interface RelayUnderTest {
  readonly relay: Relay
  readonly node: Libp2p
  readonly address: Multiaddr
  readonly peerId: PeerId
  /** What it told the bridge: `reserved <peer>`, `held <peer> <limit> <scope>`, `ending <peer> <reason>`. */
  readonly log: string[]
}

type Peer = Libp2p<{ ping: Ping }>

export interface RawPeer {
  readonly node: Libp2p
  readonly connection: Connection
}

export interface RelayBench {
  readonly startRelay: (policy?: Partial<RelayPolicy>, limits?: Partial<RelayLimits>, now?: () => number) => Promise<RelayUnderTest>
  readonly startPeer: (listen?: string[]) => Promise<Peer>
  /** A node without the circuit transport. */
  readonly startRaw: (address: Multiaddr) => Promise<RawPeer>
  readonly askHop: (connection: Connection, request: HopMessage | Uint8Array) => Promise<{ reply: HopMessage; stream: Stream }>
  /** Accepts every circuit and hands its raw stream over, paused. */
  readonly acceptCircuits: (node: Libp2p) => Promise<Stream[]>
  readonly eventually: <Value>(check: () => Value | Promise<Value>) => Promise<Value>
  readonly end: () => Promise<void>
}

export function createRelayBench(): RelayBench {
  const nodes: Libp2p[] = []

  return {
    async startRelay(policy = {}, limits = {}, now = Date.now) {
      const log: string[] = []
      const node: Libp2p<{ relay: Relay }> = await createLibp2p<{ relay: Relay }>({
        addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
        transports: [tcp()],
        connectionEncrypters: [noise()],
        streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: WINDOW_BYTES } })],
        connectionManager: { inboundConnectionThreshold: 1_000 },
        services: {
          relay: circuitRelay({
            policy: openPolicy(policy),
            events: {
              reserved: (peer) => log.push(`reserved ${peer.toString()}`),
              unreserved: (peer) => log.push(`unreserved ${peer.toString()}`),
              held: (peer, { limit, scope }) => log.push(`held ${peer} ${limit} ${scope}`),
              ending: (peer, { reason }) => log.push(`ending ${peer} ${reason}`),
            },
            relayAddresses: (): Multiaddr[] => node.getMultiaddrs(),
            limits: { ...RELAY_LIMITS, ...limits },
            now,
          }),
        },
      })
      nodes.push(node)
      const address = node.getMultiaddrs()[0]
      if (address === undefined) throw new Error('the relay listens nowhere')
      return { relay: node.services.relay, node, address, peerId: node.peerId, log }
    },

    async startPeer(listen = []) {
      const node = await createLibp2p({
        addresses: { listen },
        transports: [tcp(), circuitRelayTransport()],
        connectionEncrypters: [noise()],
        streamMuxers: [yamux()],
        connectionMonitor: { enabled: false },
        services: { identify: identify(), ping: ping() },
      })
      nodes.push(node)
      return node
    },

    async startRaw(address) {
      const node = await createLibp2p({
        transports: [tcp()],
        connectionEncrypters: [noise()],
        streamMuxers: [yamux()],
        connectionMonitor: { enabled: false },
      })
      nodes.push(node)
      return { node, connection: await node.dial(address) }
    },

    async askHop(connection, request) {
      const stream = await connection.newStream(HOP_PROTOCOL)
      const frames = lpStream(stream)
      await frames.write(request instanceof Uint8Array ? request : encodeHopMessage(request))
      const reply = decodeHopMessage((await frames.read({ signal: AbortSignal.timeout(5_000) })).subarray())
      return { reply, stream: frames.unwrap() }
    },

    async acceptCircuits(node) {
      const streams: Stream[] = []
      await node.handle(STOP_PROTOCOL, async (stream) => {
        const frames = lpStream(stream)
        await frames.read()
        frames.unwrap()
        stream.pause()
        streams.push(stream)
        const message = encodeStopMessage({ type: 'STATUS', status: STATUS.OK })
        stream.send(Uint8Array.of(message.length, ...message))
      })
      return streams
    },

    eventually: (check) => vi.waitFor(check, { timeout: 10_000, interval: 5 }),

    async end() {
      // A polite close waits half a second for the other side.
      for (const node of nodes) for (const connection of node.getConnections()) connection.abort(new Error('the test is over'))
      await Promise.all(nodes.splice(0).map(async (node) => node.stop()))
    },
  }
}

export function connectTo(peer: PeerId): HopMessage {
  return { type: 'CONNECT', peer: { id: peer.toMultihash().bytes, addrs: [] } }
}
