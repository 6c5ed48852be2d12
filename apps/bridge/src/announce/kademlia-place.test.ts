/** Peer look-ups by stock js-libp2p DHTs, under two protocol names, at a node that runs both as the bridge does. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Ed25519PrivateKey, Libp2p } from '@libp2p/interface'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { noise } from '@libp2p/noise'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { signRecords } from '@footbridge/protocols/announce/signed-records'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Carried } from './announcement.ts'
import { createKademliaPlace, type KademliaPlace } from './kademlia-place.ts'

const PROTOCOLS = ['/ipfs/kad/1.0.0', '/calimero/kad/1.0.0']
/** A DHT's first look-up waits until it knows somebody, by its own clock. */
vi.setConfig({ testTimeout: 60_000 })
const cleanups: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function startNode(options: object): Promise<Libp2p> {
  const node = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    ...options,
  })
  cleanups.push(async () => {
    for (const connection of node.getConnections()) connection.abort(new Error('the test is over'))
    await node.stop()
  })
  return node
}

const dhtAs = (protocol: string, clientMode: boolean, place?: KademliaPlace) =>
  kadDHT({
    protocol,
    clientMode,
    datastorePrefix: protocol,
    initialQuerySelfInterval: 50,
    peerInfoMapper: place?.answers(passthroughMapper) ?? passthroughMapper,
  })

const sessions = new Set<string>()

async function startBridge(): Promise<{ node: Libp2p; place: KademliaPlace }> {
  const privateKey = await generateKeyPair('Ed25519')
  const place: KademliaPlace = createKademliaPlace({
    protocols: () => PROTOCOLS,
    bridgePeer: peerIdFromPrivateKey(privateKey).toString(),
    isSession: (peer) => sessions.has(peer),
    peerStore: () => node.peerStore,
  })
  const [first = '', second = ''] = PROTOCOLS
  const node = await startNode({
    privateKey,
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    services: { identify: identify(), ping: ping(), first: dhtAs(first, false, place), second: dhtAs(second, false, place) },
  })
  return { node, place }
}

/** A virtual peer: connected, and in the bridge's peer store with what it says of itself. */
async function startAlice(bridge: Libp2p): Promise<{ key: Ed25519PrivateKey; peer: string }> {
  const key = await generateKeyPair('Ed25519')
  const node = await startNode({
    privateKey: key,
    addresses: { announce: ['/ip4/192.0.2.9/tcp/4001'] },
    services: { identify: identify() },
  })
  await node.dial(bridge.getMultiaddrs())
  sessions.add(node.peerId.toString())
  await vi.waitFor(async () => expect((await bridge.peerStore.get(node.peerId)).addresses).toHaveLength(1), { timeout: 8_000 })
  return { key, peer: node.peerId.toString() }
}

async function record(key: Ed25519PrivateKey, bridge: Libp2p): Promise<Carried> {
  const addresses = bridge.getMultiaddrs().map((address) => multiaddr(`${address.toString()}/p2p-circuit`))
  return { peer: peerIdFromPrivateKey(key).toString(), seq: 1, addresses, ...(await signRecords(key, addresses, 1n)) }
}

/** What a stranger is told who asks the bridge for this peer. */
async function lookUp(bridge: Libp2p, protocol: string, key: Ed25519PrivateKey): Promise<string[] | undefined> {
  const stranger = await startNode({ services: { identify: identify(), ping: ping(), dht: dhtAs(protocol, true) } })
  await stranger.dial(bridge.getMultiaddrs())
  const peer = peerIdFromPrivateKey(key)
  // A DHT asks peers that it knows to speak its protocol, which identify tells it a moment after the connection.
  return vi.waitFor(
    async () => {
      await expect(stranger.peerStore.get(bridge.peerId)).resolves.toMatchObject({ protocols: expect.arrayContaining([protocol]) })
      try {
        const { multiaddrs } = await stranger.peerRouting.findPeer(peer, { signal: AbortSignal.timeout(20_000) })
        return multiaddrs.map(String)
      } catch (error) {
        if (error instanceof Error && error.name === 'NotFoundError') return undefined
        throw error
      }
    },
    { timeout: 15_000 },
  )
}

describe('a peer look-up at the bridge', () => {
  it.each(PROTOCOLS)('finds an announced virtual peer under %s, and nobody who is not announced', async (protocol) => {
    const { node, place } = await startBridge()
    const { key, peer } = await startAlice(node)
    expect(await lookUp(node, protocol, key)).toBeUndefined()
    const carried = await record(key, node)
    expect(await place.announce(carried)).toBe('announced')
    expect(await lookUp(node, protocol, key)).toEqual(carried.addresses.map(String))
    await place.withdraw(peer)
    expect(await lookUp(node, protocol, key)).toBeUndefined()
  })

  it('tells nothing of a virtual peer whose session has ended, and what it knows of others', async () => {
    const { node, place } = await startBridge()
    const answers = place.answers(passthroughMapper)
    const id = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
    const [own, elsewhere] = [multiaddr(`${node.getMultiaddrs().map(String)[0]}/p2p-circuit`), multiaddr('/ip4/192.0.2.1/tcp/4001')]
    expect(answers({ id, multiaddrs: [own, elsewhere] }).multiaddrs).toEqual([elsewhere])
  })

  it('leaves to the mapper of the DHT what is told of others, and of virtual peers nothing', async () => {
    const { node, place } = await startBridge()
    const { key } = await startAlice(node)
    const carried = await record(key, node)
    const answers = place.answers((info) => ({ ...info, multiaddrs: [] }))
    const [alice, other] = [peerIdFromPrivateKey(key), peerIdFromPrivateKey(await generateKeyPair('Ed25519'))]
    expect(answers({ id: other, multiaddrs: [multiaddr('/ip4/192.168.0.1/tcp/4001')] }).multiaddrs).toEqual([])
    await place.announce(carried)
    expect(answers({ id: alice, multiaddrs: [] }).multiaddrs).toEqual(carried.addresses)
  })
})
