/** A whole bridge among others: behind somebody else's relay, what it hears of peers, and what it says of the network. */
import { createRendezvousClient } from '@footbridge/protocols/rendezvous/rendezvous-client'
import { encodePeerRecord, UC_DISCOVERY_TOPIC } from '@footbridge/protocols/uc-discovery/peer-record'
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { gossipsub, type GossipSub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
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
  // As identify tells everybody.
  expect(await (await fetch(`${bridge.url}/info`)).json()).toMatchObject({ addresses: expect.arrayContaining([circuit]) })
  const text = formatNetwork(now)
  expect(text).toMatch(new RegExp(`${relay.peerId.toString()} +reserved +the settings`))
  expect(text).toContain(circuit)
})

it('writes into one book who registers at its rendezvous point and of whom gossip tells', async () => {
  const bridge = await bench.startBridge({ dialPrivate: '127.0.0.0/8', gossipTopics: UC_DISCOVERY_TOPIC })
  const known = async (): Promise<NetworkStatus['knownPeers']> =>
    ((await (await bridge.admin.request('/network')).json()) as NetworkStatus).knownPeers
  const privateKey = await generateKeyPair('Ed25519')
  const alice = (await bench.startNode({
    privateKey,
    transports: [tcp()],
    services: { identify: identify(), ping: ping(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
  })) as unknown as Libp2p<{ pubsub: GossipSub }>
  const { remotePeer } = await alice.dial(multiaddr(bridge.addresses[0]!))
  expect(await known()).toEqual({ total: 0, bySource: {} })

  const addresses = [multiaddr('/ip4/127.0.0.1/tcp/4001')]
  await createRendezvousClient({ node: alice, privateKey, addresses: () => addresses }).register(remotePeer, 'meadow')
  expect(await known()).toMatchObject({ total: 1, bySource: { rendezvous: 1 } })

  await vi.waitFor(() => expect(alice.services.pubsub.getSubscribers(UC_DISCOVERY_TOPIC)).toHaveLength(1), { timeout: 60_000 })
  const bob = await generateKeyPair('Ed25519')
  await alice.services.pubsub.publish(UC_DISCOVERY_TOPIC, encodePeerRecord(bob.publicKey, addresses))
  await vi.waitFor(async () => expect(await known()).toMatchObject({ total: 2, bySource: { rendezvous: 1, gossip: 1 } }), {
    timeout: 60_000,
  })
})

it.each<[NetworkStatus['autonat']['reachability'], string]>([
  ['reachable', 'others reach it directly'],
  ['unknown', 'not known yet'],
  ['unreachable', 'nobody has confirmed that others reach it directly: it looks for relays'],
])('says to its operator in words that it is %s', (reachability, words) => {
  const nothing = { localPeer: 'bridge', listenAddresses: [], externalAddresses: [], relays: [], rendezvous: [], directUpgrades: 0 }
  const text = formatNetwork({ ...nothing, autonat: { reachability, lastTest: null }, knownPeers: { total: 0, bySource: {} } })
  expect(text).toMatch(new RegExp(`reachable +${words}\n`))
})
