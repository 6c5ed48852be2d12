/** A whole bridge behind somebody else's relay, and what it says of the network. */
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, it, vi } from 'vitest'
import { formatNetwork } from './cli/network-command.ts'
import type { NetworkStatus } from './discovery/network-status.ts'
import { createBench } from './test-bridge.ts'

// Whole nodes take seconds on a machine that is busy.
vi.setConfig({ testTimeout: 90_000 })

const bench = createBench()
afterEach(() => bench.end())

it('reserves on the relay of its settings, tells others its circuit, is dialled through it, and says so to its operator', async () => {
  const relay = await bench.startNode({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    services: { identify: identify(), ping: ping(), relay: circuitRelayServer() },
  })
  const bridge = await bench.startBridge({ relayAddrs: relay.getMultiaddrs()[0]!.toString() })
  const circuit = `${relay.getMultiaddrs()[0]!.toString()}/p2p-circuit/p2p/${bridge.peer}`
  const status = async (): Promise<NetworkStatus> => (await (await bridge.admin.request('/network')).json()) as NetworkStatus
  await vi.waitFor(async () => expect((await status()).externalAddresses).toContain(circuit), { timeout: 60_000, interval: 100 })

  const alice = await bench.startNative()
  const connection = await alice.dial(multiaddr(circuit))
  expect(connection.remotePeer.toString()).toBe(bridge.peer)

  const now = await status()
  expect(now).toMatchObject({ localPeer: bridge.peer, relays: [{ peer: relay.peerId.toString(), state: 'accepted', configured: true }] })
  // Whoever reserves on the bridge is told no circuit: no relay carries a circuit in a circuit.
  expect(bridge.addresses.join()).not.toContain('p2p-circuit')
  const text = formatNetwork(now)
  expect(text).toMatch(new RegExp(`${relay.peerId.toString()} +reserved +the settings`))
  expect(text).toContain(circuit)
})
