/** Programs at a real bridge, beside a peer of stock js-libp2p that knows nothing of Footbridge. */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { gossipsub, type GossipSub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { ConnectOptions, NetworkClient, ProgramEvent } from '@footbridge/client/programs/api'
import { connect } from '@footbridge/client/programs/connect'
import { memoryStorage } from '@footbridge/client/programs/storage'
import { Child } from '../helpers/child.ts'
import { createToken } from '../helpers/cli.ts'
import { startBridge, type Bridge } from '../helpers/start-bridge.ts'

const ECHO = '/echo/1.0.0'
const LIMITED = { runOnLimitedConnection: true }
const PATIENT = { timeout: 20_000, interval: 50 }

let bridge: Bridge
let link = ''
const stops: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  bridge = await startBridge()
  // Each program here that brings no key is another device.
  link = (await createToken(bridge, 'programs', ['--devices', 'none'])).link
}, 60_000)
afterAll(() => bridge.remove())
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

async function join(options: ConnectOptions = {}): Promise<NetworkClient> {
  const client = await connect({ token: link, ...options })
  stops.push(() => client.close())
  return client
}

async function startStock(): Promise<Libp2p<{ pubsub: GossipSub }>> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), ping: ping(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
  })
  stops.push(async () => {
    for (const connection of node.getConnections()) connection.abort(new Error('the test is over'))
    await node.stop()
  })
  return node as unknown as Libp2p<{ pubsub: GossipSub }>
}

/** Everything that is told from now on. */
function gather(client: NetworkClient): ProgramEvent[] {
  const events: ProgramEvent[] = []
  client.events.subscribe((event) => void events.push(event))
  return events
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (data: { subarray(): Uint8Array } | Uint8Array): string => new TextDecoder().decode(data.subarray())

async function ask(stream: Parameters<typeof lpStream>[0], words: string): Promise<string> {
  const frames = lpStream(stream)
  await frames.write(bytes(words))
  return text(await frames.read())
}

test('a stock peer dials a program through the bridge, and each opens a stream to the other', { timeout: 60_000 }, async () => {
  const client = await join({ name: 'a program' })
  const events = gather(client)
  await client.handle(ECHO, async ({ stream }) => {
    const frames = lpStream(stream)
    await frames.write(await frames.read())
    await stream.close()
  })
  const stock = await startStock()
  await stock.handle(
    '/upper/1.0.0',
    async (stream) => {
      const frames = lpStream(stream)
      await frames.write(bytes(text(await frames.read()).toUpperCase()))
    },
    LIMITED,
  )
  const connection = await stock.dial(multiaddr(await bridge.circuitAddress(client.peer)))
  expect(await ask(await connection.newStream(ECHO, LIMITED), 'hello')).toBe('hello')
  expect(events).toContainEqual(expect.objectContaining({ type: 'streamOpened', peer: stock.peerId.toString(), protocol: ECHO }))
  expect(await ask(await client.openStream(stock.peerId.toString(), '/upper/1.0.0'), 'ship')).toBe('SHIP')
  await expect(client.openStream(stock.peerId.toString(), '/nobody/1.0.0')).rejects.toMatchObject({ code: 'not_found' })
})

test('the status and the events say where a program listens, at the bridge and at its own address', { timeout: 60_000 }, async () => {
  const client = await join({ transports: [tcp()], listen: ['/ip4/127.0.0.1/tcp/0'] })
  const status = client.networkStatus()
  expect(status.externalAddresses).toContain(await bridge.circuitAddress(client.peer))
  expect(status.listenAddresses).toEqual([expect.stringMatching(new RegExp(`^/ip4/127.0.0.1/tcp/\\d+/p2p/${client.peer}$`))])
  expect(status).toMatchObject({ relays: [{ state: 'accepted' }], autonat: { reachability: 'reachable' } })
  const told = gather(client)
  const addresses = told.map((event) => (event.type === 'listeningOn' ? event.address : event.type))
  expect(new Set(addresses)).toEqual(new Set([...status.listenAddresses, ...status.externalAddresses]))
  await expect(client.listenOn(status.listenAddresses[0] ?? '')).rejects.toMatchObject({ code: 'unavailable' })
  await expect(client.listenOn('/ip4/127.0.0.1/udp/0/quic-v1')).rejects.toMatchObject({ code: 'bad_request' })
  expect(await client.listenOn('/ip4/127.0.0.1/tcp/0')).not.toBe('bridge')
  expect(client.networkStatus().listenAddresses).toHaveLength(2)
})

test('two dials to one peer are one, directly and by name through the bridge', { timeout: 60_000 }, async () => {
  const alice = await join({ transports: [tcp()] })
  const bob = await join()
  const stock = await startStock()
  const at = stock.getMultiaddrs()[0]?.toString() ?? ''
  const peers = await Promise.all([alice.dial(at), alice.dial(at), alice.dial(`/p2p/${bob.peer}`), alice.dial(`/p2p/${bob.peer}`)])
  expect(peers).toEqual([stock.peerId.toString(), stock.peerId.toString(), bob.peer, bob.peer])
  expect(stock.getConnections()).toHaveLength(1)
  // The bridge, the stock peer, Bob.
  expect(alice.peerCount()).toBe(3)
  expect(await alice.bootstrap([at])).toEqual([stock.peerId.toString()])
  await expect(alice.dial(at.replace(/\/p2p\/.*/, ''))).rejects.toMatchObject({ code: 'bad_request' })
  await expect(alice.bootstrap([])).rejects.toMatchObject({ code: 'bad_request' })
  const nobody = (await generateStranger()).peer
  await expect(alice.dial(`/ip4/127.0.0.1/tcp/1/p2p/${nobody}`)).rejects.toMatchObject({ code: 'peer_unreachable' })
})

test('a program and a stock peer hear each other on a topic, and the id is the same at both', { timeout: 60_000 }, async () => {
  const client = await join({ transports: [tcp()] })
  const events = gather(client)
  const stock = await startStock()
  const heard: { id: string; words: string }[] = []
  stock.services.pubsub.addEventListener(
    'gossipsub:message',
    ({ detail }) => void heard.push({ id: detail.msgId, words: text(detail.msg.data) }),
  )
  stock.services.pubsub.subscribe('harbour')
  await client.dial(stock.getMultiaddrs()[0]?.toString() ?? '')
  expect(await client.subscribe('harbour')).toBe('harbour')
  await expect.poll(() => client.meshPeers('harbour'), PATIENT).toContain(stock.peerId.toString())
  expect(client.subscribedPeers('harbour')).toContain(stock.peerId.toString())
  expect(client.meshStats()).toEqual([{ topic: 'harbour', count: client.meshPeerCount('harbour') }])
  const id = await client.publish('harbour', bytes('a ship'))
  await expect.poll(() => heard, PATIENT).toContainEqual({ id, words: 'a ship' })
  await stock.services.pubsub.publish('harbour', bytes('two ships'))
  const message = { topic: 'harbour', from: stock.peerId.toString(), data: bytes('two ships') }
  await expect
    .poll(() => events, PATIENT)
    .toContainEqual(expect.objectContaining({ type: 'message', message: expect.objectContaining(message) }))
  stock.services.pubsub.unsubscribe('harbour')
  const gone = { type: 'unsubscribed', peer: stock.peerId.toString(), topic: 'harbour' }
  await expect.poll(() => events, PATIENT).toContainEqual(gone)
  expect(await client.unsubscribe('harbour')).toBe('harbour')
  expect(client.meshPeerCount('harbour')).toBe(0)
  await expect(client.publish('a topic of nobody', bytes('hello?'))).rejects.toMatchObject({ code: 'no_subscribers' })
})

test('two programs hear each other on a topic through the bridge alone', { timeout: 60_000 }, async () => {
  const alice = await join()
  const bob = await join()
  const events = gather(bob)
  await alice.subscribe('pier')
  await bob.subscribe('pier')
  const { peer: bridgePeer } = bob.networkStatus().relays[0] ?? { peer: '' }
  await expect.poll(() => [...alice.meshPeers('pier'), ...bob.meshPeers('pier')], PATIENT).toEqual([bridgePeer, bridgePeer])
  const id = await alice.publish('pier', bytes('over here'))
  await expect
    .poll(() => events, PATIENT)
    .toContainEqual(
      expect.objectContaining({ type: 'message', id, message: expect.objectContaining({ from: alice.peer, data: bytes('over here') }) }),
    )
})

test('a program is the same peer again by its storage, or by the key that it brings', { timeout: 60_000 }, async () => {
  const storage = memoryStorage()
  const first = await join({ storage })
  await first.close()
  // Enrolled: no token is needed any more.
  const again = await connect({ bridge: bridge.origin, storage })
  stops.push(() => again.close())
  expect(again.peer).toBe(first.peer)
  const { key, peer } = await generateStranger()
  expect((await join({ identity: key })).peer).toBe(peer)
  await expect(connect({ token: link, identity: new Uint8Array(8) })).rejects.toMatchObject({ code: 'bad_request' })
  await expect(connect({ bridge: bridge.origin })).rejects.toMatchObject({ code: 'device_unknown' })
  await expect(connect({ bridge: bridge.origin, token: 'fb1_wrong' })).rejects.toMatchObject({ code: 'token_unknown' })
})

test('a program whose bridge restarts comes back by itself, says so, and its topics go on', { timeout: 90_000 }, async () => {
  const alice = await join()
  const bob = await join()
  await alice.subscribe('quay')
  await bob.subscribe('quay')
  await expect.poll(() => [alice.meshPeerCount('quay'), bob.meshPeerCount('quay')], PATIENT).toEqual([1, 1])
  const events = gather(alice)
  const reservations = (): number => events.filter((event) => event.type === 'listeningOn').length
  const before = reservations()
  await bridge.restart()
  await expect.poll(reservations, PATIENT).toBeGreaterThan(before)
  await expect.poll(() => bob.connection.get().state, PATIENT).toBe('online')
  const isHeard = (): boolean => events.some((event) => event.type === 'message' && text(event.message.data) === 'still here')
  await expect
    .poll(async () => {
      await bob.publish('quay', bytes('still here')).catch(() => undefined)
      return isHeard()
    }, PATIENT)
    .toBe(true)
})

test('the example answers a stream of a stock peer', { timeout: 60_000 }, async () => {
  const example = new Child(['node', 'e2e/programs/echo.ts', link])
  stops.push(() => example.stop())
  const address = await example.line((line) => (line.startsWith('/') ? line : undefined))
  const stock = await startStock()
  const connection = await stock.dial(multiaddr(address))
  expect(await ask(await connection.newStream(ECHO, LIMITED), 'hello')).toBe('hello')
  await example.line((line) => (line.includes(`opened ${ECHO}`) ? line : undefined))
  expect((await example.stop()).code).toBe(0)
})

async function generateStranger(): Promise<{ key: Uint8Array; peer: string }> {
  const { peerIdFromPrivateKey } = await import('@libp2p/peer-id')
  const key = await generateKeyPair('Ed25519')
  return { key: privateKeyToProtobuf(key), peer: peerIdFromPrivateKey(key).toString() }
}
