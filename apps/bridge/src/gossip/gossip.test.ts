import { noise } from '@libp2p/noise'
import { gossipsub, type GossipSub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { SessionChange } from '../peers/registry.ts'
import type { Session } from '../peers/session.ts'
import { createGossip, type Gossip } from './gossip.ts'
import { MESSAGE_BURST_OF_TOKEN } from './limits.ts'
import { gossip as gossipService } from '../node/gossip.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 })

type Peer = Libp2p & { readonly services: { readonly pubsub: GossipSub } }

let bridge: Peer
let alice: Peer
let native: Peer
let gossip: Gossip
let sessions: Map<string, Session>
let tell: (change: SessionChange) => void
/** What was charged, and who has used up what they may. */
let charges: string[]
let spent: Set<string>
const now = 1_000_000

async function createPeer(listens = false, pubsub = gossipsub({ allowPublishToZeroTopicPeers: true })): Promise<Peer> {
  return (await createLibp2p({
    addresses: { listen: listens ? ['/ip4/127.0.0.1/tcp/0'] : [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), pubsub },
  })) as unknown as Peer
}

function logIn(peer: Peer): void {
  const id = peer.peerId.toString()
  const session = { state: 'connected', grant: { peer: id, tokenId: 't_1' } } as Session
  sessions.set(id, session)
  tell({ peer: id, before: undefined, after: session })
}

function logOut(peer: Peer): void {
  const id = peer.peerId.toString()
  sessions.delete(id)
  tell({ peer: id, before: undefined, after: { state: 'ended', grant: { peer: id, tokenId: 't_1' } } as Session })
}

function listen(peer: Peer, topic: string): string[] {
  const heard: string[] = []
  peer.services.pubsub.addEventListener('message', ({ detail }) => {
    if (detail.topic === topic) heard.push(Buffer.from(detail.data).toString())
  })
  return heard
}

/** The service's class has it, its interface does not. */
const meshAt = (peer: Peer, topic: string): string[] =>
  (peer.services.pubsub as unknown as { getMeshPeers(topic: string): string[] }).getMeshPeers(topic)
const subscribersAt = (peer: Peer, topic: string): string[] => peer.services.pubsub.getSubscribers(topic).map(String)

/** Both on the topic, and mesh peers of the bridge. */
async function meet(topic: string): Promise<void> {
  for (const peer of [alice, native]) peer.services.pubsub.subscribe(topic)
  await vi.waitFor(() => {
    expect(meshAt(bridge, topic)).toHaveLength(2)
    for (const peer of [alice, native]) expect(subscribersAt(peer, topic)).toEqual([bridge.peerId.toString()])
  }, 10_000)
}

beforeEach(async () => {
  sessions = new Map()
  charges = []
  spent = new Set()
  bridge = await createPeer(
    true,
    gossipService((peer) => !spent.has(peer)),
  )
  alice = await createPeer()
  native = await createPeer()
  gossip = createGossip({
    pubsub: bridge.services.pubsub,
    node: bridge,
    registry: {
      get: (peer) => sessions.get(peer),
      list: () => [...sessions.values()],
      subscribe(listener) {
        tell = listener
        return () => undefined
      },
    },
    charge(peer, bytes) {
      charges.push(`${peer === alice.peerId.toString() ? 'alice' : 'native'} ${bytes}`)
      return !spent.has(peer)
    },
    configured: ['lighthouse'],
    clock: () => now,
  })
  gossip.start()
  const address = bridge.getMultiaddrs()
  for (const peer of [alice, native]) await peer.dial(address)
})

afterEach(async () => {
  gossip.stop()
  for (const peer of [alice, native, bridge]) await peer.stop()
})

test('a session and a native peer that know only the bridge hear each other on a topic that the session uses', async () => {
  logIn(alice)
  const [aliceHears, nativeHears] = [listen(alice, 'harbour'), listen(native, 'harbour')]
  for (const peer of [alice, native]) peer.services.pubsub.subscribe('harbour')
  await vi.waitFor(() => {
    expect(gossip.topics()).toContain('harbour')
    expect(subscribersAt(bridge, 'harbour')).toHaveLength(2)
    for (const peer of [alice, native]) expect(subscribersAt(peer, 'harbour')).toEqual([bridge.peerId.toString()])
  }, 10_000)
  await native.services.pubsub.publish('harbour', Buffer.from('high tide at nine'))
  await vi.waitFor(() => expect(aliceHears).toEqual(['high tide at nine']), 10_000)
  await alice.services.pubsub.publish('harbour', Buffer.from('thank you'))
  await vi.waitFor(() => expect(nativeHears).toEqual(['thank you']), 10_000)
  expect(gossip.usedBy('t_1')).toEqual({ messages: 1, bytes: 9, dropped: 0 })
  expect(gossip.total().messages).toBe(2)
})

test('the bridge carries nothing for peers without a session, and what the operator named always', async () => {
  for (const peer of [alice, native]) peer.services.pubsub.subscribe('harbour')
  await vi.waitFor(() => expect(subscribersAt(bridge, 'harbour')).toHaveLength(2), 10_000)
  expect(gossip.topics()).toEqual(['lighthouse'])
})

test('a topic is left when the last session that used it has ended', async () => {
  logIn(alice)
  alice.services.pubsub.subscribe('harbour')
  await vi.waitFor(() => expect(subscribersAt(alice, 'harbour')).toHaveLength(1), 10_000)
  logOut(alice)
  expect(gossip.topics()).toEqual(['lighthouse'])
  await vi.waitFor(() => expect(subscribersAt(alice, 'harbour')).toEqual([]), 10_000)
})

test('a topic is left when its peer has gone', async () => {
  logIn(alice)
  alice.services.pubsub.subscribe('harbour')
  await vi.waitFor(() => expect(gossip.topics()).toContain('harbour'), 10_000)
  await alice.stop()
  await vi.waitFor(() => expect(gossip.topics()).toEqual(['lighthouse']), 10_000)
})

test('what is above the rate of a token is not passed on', async () => {
  logIn(alice)
  const nativeHears = listen(native, 'harbour')
  for (const peer of [alice, native]) peer.services.pubsub.subscribe('harbour')
  await vi.waitFor(() => {
    expect(subscribersAt(alice, 'harbour')).toHaveLength(1)
    expect(meshAt(bridge, 'harbour')).toHaveLength(2)
  }, 10_000)
  const flood = MESSAGE_BURST_OF_TOKEN + 20
  for (let index = 0; index < flood; index++) await alice.services.pubsub.publish('harbour', Buffer.from(`${index}`))
  await vi.waitFor(() => expect(gossip.usedBy('t_1').dropped).toBe(20), 10_000)
  await vi.waitFor(() => expect(nativeHears).toHaveLength(MESSAGE_BURST_OF_TOKEN), 10_000)
})

test('a message is charged to who hands it in and to the sessions that use its topic', async () => {
  logIn(alice)
  const [aliceHears, nativeHears] = [listen(alice, 'harbour'), listen(native, 'harbour')]
  await meet('harbour')
  await native.services.pubsub.publish('harbour', Buffer.from('high tide at nine'))
  await vi.waitFor(() => expect(aliceHears).toHaveLength(1), 10_000)
  expect(charges.splice(0)).toEqual(['native 17', 'alice 17'])
  await alice.services.pubsub.publish('harbour', Buffer.from('thank you'))
  await vi.waitFor(() => expect(nativeHears).toHaveLength(1), 10_000)
  expect(charges).toEqual(['alice 9'])
})

test('who has used up their day is given no gossip and hands none in, until they may again', async () => {
  logIn(alice)
  const [aliceHears, nativeHears] = [listen(alice, 'harbour'), listen(native, 'harbour')]
  await meet('harbour')
  spent.add(alice.peerId.toString())
  await vi.waitFor(() => expect(meshAt(bridge, 'harbour')).toEqual([native.peerId.toString()]), 10_000)
  await alice.services.pubsub.publish('harbour', Buffer.from('hello'))
  await vi.waitFor(() => expect(charges.splice(0)).toEqual(['alice 5']), 10_000)
  expect(gossip.usedBy('t_1')).toEqual({ messages: 0, bytes: 0, dropped: 1 })
  await native.services.pubsub.publish('harbour', Buffer.from('high tide at nine'))
  await vi.waitFor(() => expect(charges).toEqual(['native 17', 'alice 17']), 10_000)
  // Still carried: it is known what she listens to.
  expect(gossip.topics()).toContain('harbour')
  expect([aliceHears, nativeHears]).toEqual([[], []])
  spent.clear()
  await native.services.pubsub.publish('harbour', Buffer.from('low tide at three'))
  await vi.waitFor(() => expect(aliceHears).toContain('low tide at three'), 20_000)
  await alice.services.pubsub.publish('harbour', Buffer.from('thank you'))
  await vi.waitFor(() => expect(nativeHears).toEqual(['thank you']), 10_000)
})

test('start and stop may be called again, and stop leaves every topic', () => {
  gossip.start()
  gossip.stop()
  gossip.stop()
  expect(gossip.topics()).toEqual([])
  expect(bridge.services.pubsub.getTopics()).toEqual([])
})
