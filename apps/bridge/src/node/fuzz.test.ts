/**
 * Messages that nobody should send, given to every handler of other people's protocols that the bridge has: each is answered, ignored or ends its own stream. Nothing escapes (an
 * unhandled rejection fails the run), nothing is kept, and the bridge serves the next. 200 for each protocol here; `npm test` runs 100 000, and FUZZ_INPUTS says how many.
 *
 * Straight into the handlers, because a hundred thousand multistream handshakes would be what is measured; over real connections: fuzz-live.test.ts. The bridge dials nobody here:
 * what a message makes it want to dial is refused as if nobody answered.
 */
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import type { Connection } from '@libp2p/interface'
import type { ConnectionManager, Registrar } from '@libp2p/interface-internal'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { fuzz } from '@footbridge/protocols/fuzz/test-fuzz'
import * as messages from '@footbridge/protocols/fuzz/test-messages'
import { chooseSeed } from '@footbridge/protocols/fuzz/test-mutations'
import { afterEach, describe, expect, it } from 'vitest'
import { createBench, type Peer, type TestBridge } from '../test-bridge.ts'
import { eventually } from '../test-raw-peers.ts'

const INPUTS = Number(process.env['FUZZ_INPUTS'] ?? 200)
const seed = chooseSeed()
const bench = createBench()

afterEach(() => bench.end())

const PROTOCOLS: readonly (readonly [protocol: string, make: messages.MakeMessage])[] = [
  ['/ipfs/kad/1.0.0', messages.kademlia],
  ['/libp2p/autonat/1.0.0', messages.autoNat],
  ['/libp2p/autonat/2/dial-request', messages.autoNatDialRequest],
  ['/libp2p/autonat/2/dial-back', messages.autoNatDialBack],
  ['/ipfs/ping/1.0.0', messages.noise],
  ['/ipfs/id/1.0.0', messages.noise],
  ['/ipfs/id/push/1.0.0', messages.identifyPush],
  ['/libp2p/dcutr', messages.dcutr],
  ['/meshsub/1.1.0', messages.gossip],
  ['/libp2p/circuit/relay/0.2.0/stop', messages.stop],
]

/** STOP is for the relays that the bridge has reserved on; strangers are refused before anything is read. */
const CASES = PROTOCOLS.flatMap(([protocol, make]) =>
  (protocol.endsWith('/stop') ? ['stranger', 'relay of its own'] : ['stranger']).map((by) => [protocol, by, make] as const),
)

interface Components {
  readonly registrar: Registrar
  readonly connectionManager: ConnectionManager
}

async function setUp(isRelay: boolean): Promise<{ bridge: TestBridge; components: Components; mallory: Peer; connection: Connection }> {
  const bridge = await bench.startBridge({ dialPrivate: '127.0.0.0/8', kadProtocols: '/ipfs/kad/1.0.0' })
  const mallory = await bench.startNode({
    addresses: { listen: isRelay ? ['/ip4/127.0.0.1/tcp/0'] : [] },
    transports: [tcp()],
    services: { identify: identify(), ping: ping(), ...(isRelay && { relay: circuitRelayServer() }) },
  })
  if (isRelay) await bridge.node.services.circuits.reserve(mallory.getMultiaddrs()[0]!)
  else await mallory.dial(multiaddr(bridge.addresses[0] ?? 'none'))
  const connection = await eventually(() => bridge.node.getConnections(mallory.peerId)[0] ?? Promise.reject(new Error('not yet')))
  // libp2p's class has them; its interface does not show them.
  const { components } = bridge.node as unknown as { components: Components }
  // Not a spy of the test runner: it would keep every call.
  components.connectionManager.openConnection = () => Promise.reject(new Error('nobody answers'))
  return { bridge, components, mallory, connection }
}

/** Gossipsub leaves its own side of a peer's last stream open, until that peer opens another or goes. */
const untilTurned = (): Promise<unknown> => new Promise((resolve) => setImmediate(resolve))

describe('a bridge that is sent bad messages', { timeout: 3_600_000 }, () => {
  it.each(CASES)('on %s, sent by a %s, keeps nothing of them and serves the next', async (protocol, by, make) => {
    const { bridge, components, mallory, connection } = await setUp(by === 'relay of its own')
    const { handler } = components.registrar.getHandler(protocol)
    const id = mallory.peerId.toMultihash().bytes
    await fuzz(
      {
        protocol,
        handler,
        connection,
        ...(protocol.startsWith('/meshsub') && { done: untilTurned }),
        make: (random) => ({ bytes: messages.makeStreamBytes(random, make(random, id)), end: random.below(3) === 0 ? 'reset' : 'close' }),
      },
      { inputs: INPUTS, seed },
    )
    expect(await mallory.services.ping.ping(mallory.getConnections()[0]!.remotePeer)).toBeGreaterThanOrEqual(0)
    expect((await bridge.node.peerStore.all()).length).toBeLessThan(2_100)
  })
})
