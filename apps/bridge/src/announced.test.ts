/**
 * A virtual peer that chose the network is found, by peers that use no code of ours to look, wherever its bridge tells of it, and dialled there; when its
 * session ends it is in none of these places. All on the loopback interface.
 */
import os from 'node:os'
import { randomBytes } from 'node:crypto'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import type { Ed25519PrivateKey, PeerId, PeerInfo } from '@libp2p/interface'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { mdns } from '@libp2p/mdns'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { signRecords } from '@footbridge/protocols/announce/signed-records'
import { createRendezvousClient } from '@footbridge/protocols/rendezvous/rendezvous-client'
import { ANNOUNCE_PROTOCOL } from '@footbridge/shared/protocol-ids'
import { base64urlEncode } from '@footbridge/shared/text-codec'
import { decodeAnnounceFrame, type Visibility } from '@footbridge/shared/wire/announce-frame'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createBench, type Bench, type Peer, type TestBridge } from './test-bridge.ts'

const KAD = ['/ipfs/kad/1.0.0', '/calimero/kad/1.0.0']
const NAMESPACE = 'meeting'
/** One of its own, so that nothing else on this machine answers to it. */
const tag = `footbridge-${randomBytes(4).toString('hex')}.local`
/** A DHT's first look-up waits until it knows somebody, by its own clock. */
vi.setConfig({ testTimeout: 60_000 })
let bench: Bench

beforeEach(() => {
  bench = createBench()
  const [lo] = os.networkInterfaces()['lo'] ?? []
  vi.spyOn(os, 'networkInterfaces').mockReturnValue({ lo: lo === undefined ? [] : [lo] })
})
afterEach(async () => {
  await bench.end()
  vi.restoreAllMocks()
})

const eventually = <Value>(check: () => Promise<Value> | Value): Promise<Value> => vi.waitFor(check, { timeout: 20_000, interval: 50 })

async function startBridge(): Promise<TestBridge> {
  return bench.startBridge({
    disableMdns: 'false',
    mdnsTags: tag,
    kadProtocols: KAD.join(),
    rendezvousNamespace: NAMESPACE,
    dialPrivate: '127.0.0.0/8',
  })
}

interface Alice {
  readonly peer: PeerId
  readonly key: Ed25519PrivateKey
  readonly accessToken: string
  /** As the bridge said last. */
  readonly places: () => Record<string, string>
}

/** A browser's stack that follows docs/protocol.md. */
async function startAlice(bridge: TestBridge, visibility: Visibility): Promise<Alice> {
  const key = await generateKeyPair('Ed25519')
  const { node, session } = await bench.startBrowser(bridge, 'alice', undefined, key)
  const [link] = node.getConnections()
  if (link === undefined) throw new Error('there is no link to the bridge')
  const frames = lpStream(await link.newStream(ANNOUNCE_PROTOCOL))
  let places: Record<string, string> = {}
  const read = async (): Promise<void> => {
    for (;;) {
      const frame = decodeAnnounceFrame((await frames.read()).subarray())
      if (frame?.type === 'places') places = Object.fromEntries(frame.places.map(({ place, state }) => [place, state]))
      if (frame?.type !== 'wanted') continue
      const { envelope, legacy } = await signRecords(
        key,
        frame.addresses.map((address) => multiaddr(address)),
        BigInt(frame.after + 1),
      )
      await frames.write(encodeJsonFrame({ type: 'record', envelope: base64urlEncode(envelope), legacy: base64urlEncode(legacy) }))
    }
  }
  read().catch(() => {})
  await frames.write(encodeJsonFrame({ type: 'visible', visibility }))
  return { peer: node.peerId, key, accessToken: session.accessToken, places: () => places }
}

const logOut = (bridge: TestBridge, { accessToken }: Alice): Promise<Response> =>
  fetch(`${bridge.url}/api/v1/sessions/current`, { method: 'DELETE', headers: { Authorization: `Bearer ${accessToken}` } })

/** A stranger with stock transports, connected to the bridge. */
async function startStranger(bridge: TestBridge, options: object = {}): Promise<Peer> {
  const node = await bench.startNode({
    transports: [tcp(), circuitRelayTransport()],
    services: { identify: identify(), ping: ping() },
    ...options,
  })
  await node.dial(bridge.addresses.map((address) => multiaddr(address)))
  return node
}

async function byKademlia(bridge: TestBridge, protocol: string, peer: PeerId): Promise<readonly Multiaddr[] | undefined> {
  const dht = kadDHT({
    protocol,
    clientMode: true,
    initialQuerySelfInterval: 50,
    peerInfoMapper: passthroughMapper,
  })
  const stranger = await startStranger(bridge, { services: { identify: identify(), ping: ping(), dht } })
  const [address] = bridge.addresses
  const bridgePeer = multiaddr(address ?? '')
    .getComponents()
    .at(-1)?.value
  await eventually(async () => {
    const known = (await stranger.peerStore.all()).find(({ id }) => id.toString() === bridgePeer)
    expect(known?.protocols).toContain(protocol)
  })
  try {
    return (await stranger.peerRouting.findPeer(peer, { signal: AbortSignal.timeout(20_000) })).multiaddrs
  } catch (error) {
    if (error instanceof Error && error.name === 'NotFoundError') return undefined
    throw error
  }
}

async function byRendezvous(bridge: TestBridge, peer: PeerId): Promise<readonly Multiaddr[] | undefined> {
  const stranger = await startStranger(bridge)
  const client = createRendezvousClient({ node: stranger, privateKey: await generateKeyPair('Ed25519'), addresses: () => [] })
  const { found } = await client.discover(
    bridge.addresses.map((address) => multiaddr(address)),
    { namespace: NAMESPACE },
  )
  return found.find((each) => each.peer.equals(peer))?.addresses
}

/** Peers that a stock node hears of on the LAN, for as long as the test lasts. */
async function onLan(): Promise<PeerInfo[]> {
  const heard: PeerInfo[] = []
  const node = await bench.startNode({ transports: [tcp()], peerDiscovery: [mdns({ serviceTag: tag, interval: 300 })] })
  node.addEventListener('peer:discovery', ({ detail }) => heard.push(detail))
  return heard
}

/** Two in turn ask: by the time the second has heard of the bridge itself, the first would have heard of the peer. */
async function isNotOnLan(bridge: TestBridge, peer: PeerId): Promise<void> {
  const heard: PeerInfo[][] = []
  for (let round = 0; round < 2; round++) {
    const now = await onLan()
    heard.push(now)
    await eventually(() => expect(now.map(({ id }) => id.toString())).toContain(bridge.peer))
  }
  expect(heard.flat().some(({ id }) => id.equals(peer))).toBe(false)
}

async function dialsIt(bridge: TestBridge, addresses: readonly Multiaddr[] | undefined, alice: Alice): Promise<void> {
  const [address] = addresses ?? []
  if (address === undefined) throw new Error('it was not found')
  const stranger = await startStranger(bridge)
  const connection = await stranger.dial(address.encapsulate(`/p2p/${alice.peer.toString()}`))
  expect(connection.remotePeer.equals(alice.peer)).toBe(true)
}

describe('a virtual peer that chose the network', () => {
  it('is found by Kademlia under each protocol name and dialled there, and is gone with its session', async () => {
    const bridge = await startBridge()
    const alice = await startAlice(bridge, 'network')
    await eventually(() => expect(alice.places()).toMatchObject({ kademlia: 'announced' }))
    for (const protocol of KAD) await dialsIt(bridge, await byKademlia(bridge, protocol, alice.peer), alice)
    expect((await logOut(bridge, alice)).status).toBe(204)
    for (const protocol of KAD) expect(await byKademlia(bridge, protocol, alice.peer)).toBeUndefined()
  })

  it('is found by mDNS and dialled there, and is answered for no more when its session ends', async () => {
    const bridge = await startBridge()
    const alice = await startAlice(bridge, 'network')
    const heard = await onLan()
    const found = await eventually(() => {
      const each = heard.find(({ id }) => id.equals(alice.peer))
      expect(each).toBeDefined()
      return each
    })
    await dialsIt(bridge, found?.multiaddrs, alice)
    expect((await logOut(bridge, alice)).status).toBe(204)
    await isNotOnLan(bridge, alice.peer)
  })

  it('is found by rendezvous and dialled there, and is gone with its session', async () => {
    const bridge = await startBridge()
    const alice = await startAlice(bridge, 'network')
    await eventually(() => expect(alice.places()).toMatchObject({ rendezvous: 'announced' }))
    await dialsIt(bridge, await byRendezvous(bridge, alice.peer), alice)
    expect((await logOut(bridge, alice)).status).toBe(204)
    expect(await byRendezvous(bridge, alice.peer)).toBeUndefined()
  })
})

it.each(['bridge', 'nobody'] as const)(
  'a virtual peer that chose %s is found in none of these places, and dialled by whoever knows it',
  async (visibility) => {
    const bridge = await startBridge()
    const alice = await startAlice(bridge, visibility)
    await eventually(() => expect(alice.places()).toMatchObject({ kademlia: 'off', mdns: 'off', rendezvous: 'off' }))
    for (const protocol of KAD) expect(await byKademlia(bridge, protocol, alice.peer)).toBeUndefined()
    expect(await byRendezvous(bridge, alice.peer)).toBeUndefined()
    await isNotOnLan(bridge, alice.peer)
    await dialsIt(
      bridge,
      bridge.addresses.map((address) => multiaddr(`${address}/p2p-circuit`)),
      alice,
    )
  },
)
