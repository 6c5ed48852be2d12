/** For tests: a bridge with every protocol that it can have, and a peer of each kind that sends it bad messages. What is sent: test-fuzz-targets.ts. */
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import type { Connection } from '@libp2p/interface'
import type { ConnectionManager, Registrar } from '@libp2p/interface-internal'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { startRawPeer, eventually, liftLimits } from '../test-raw-peers.ts'
import type { Bench, Peer, TestBridge } from '../test-bridge.ts'
import { KAD_PROTOCOLS, type Sender } from './test-fuzz-targets.ts'

export interface FuzzedBridge {
  readonly bridge: TestBridge
  readonly registrar: Registrar
  /** From now on it dials nobody: what a message makes it want to dial is refused as if nobody answered. */
  readonly refuseDials: () => void
}

export async function startFuzzedBridge(bench: Bench): Promise<FuzzedBridge> {
  const bridge = await bench.startBridge({ dialPrivate: '127.0.0.0/8', kadProtocols: KAD_PROTOCOLS.join(',') })
  await liftLimits(bridge)
  // libp2p's class has them; its interface does not show them.
  const { components } = bridge.node as unknown as {
    readonly components: { readonly registrar: Registrar; readonly connectionManager: ConnectionManager }
  }
  return {
    bridge,
    registrar: components.registrar,
    refuseDials() {
      // Not a spy of the test runner: it would keep every call.
      components.connectionManager.openConnection = () => Promise.reject(new Error('nobody answers'))
    },
  }
}

export interface Mallory {
  readonly node: Peer
  /** The bridge's end. */
  readonly connection: Connection
  /** Mallory's own. */
  readonly own: Connection
}

export async function startMallory(bench: Bench, { bridge, refuseDials }: FuzzedBridge, by: Sender): Promise<Mallory> {
  const node = by === 'session' ? (await startRawPeer(bench, bridge, { name: 'Mallory' })).node : await startStock(bench, by)
  if (by === 'relay of its own') await bridge.node.services.circuits.reserve(node.getMultiaddrs()[0] ?? multiaddr('/ip4/127.0.0.1/tcp/1'))
  refuseDials()
  if (by === 'stranger') await node.dial(multiaddr(bridge.addresses[0] ?? 'none'))
  return eventually(() => {
    const [connection] = bridge.node.getConnections(node.peerId)
    const [own] = node.getConnections()
    if (connection === undefined || own === undefined) throw new Error('not yet')
    return { node, connection, own }
  })
}

function startStock(bench: Bench, by: Sender): Promise<Peer> {
  const isRelay = by === 'relay of its own'
  return bench.startNode({
    addresses: { listen: isRelay ? ['/ip4/127.0.0.1/tcp/0'] : [] },
    transports: [tcp()],
    connectionMonitor: { enabled: false },
    services: { identify: identify(), ping: ping(), ...(isRelay && { relay: circuitRelayServer() }) },
  })
}
