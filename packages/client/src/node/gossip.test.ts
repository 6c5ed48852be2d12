/** Gossipsub as devices use it, beside a stock peer: made on a node that runs, with connections that were there before. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import { gossipsub, type GossipSub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createNode, type FootbridgeNode } from './create-node.ts'
import { createGossip, type Gossip } from './gossip.ts'

const PATIENT = { timeout: 20_000, interval: 50 }
const stops: (() => Promise<unknown>)[] = []
let device: FootbridgeNode
let gossip: Gossip
let stock: Libp2p & { readonly services: { readonly pubsub: GossipSub } }

beforeEach(async () => {
  stock = (await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
    transports: [webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
  })) as unknown as typeof stock
  stops.push(async () => {
    for (const connection of stock.getConnections()) connection.abort(new Error('the test is over'))
    await stock.stop()
  })
  device = await createNode({ key: await generateKeyPair('Ed25519'), transports: [], listen: [], now: () => performance.now() })
  stops.push(async () => device.libp2p.stop())
  await device.libp2p.dial(stock.getMultiaddrs())
  // Known, and told to nobody who comes later.
  await expect.poll(async () => (await device.libp2p.peerStore.get(stock.peerId)).protocols.length, PATIENT).toBeGreaterThan(0)
  gossip = createGossip(device.components)
  await gossip.start()
  stops.push(() => gossip.stop())
})
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

test('it meshes over a connection that was open before it was made, and the id of what it says is the id that others hear', async () => {
  const heard: string[] = []
  stock.services.pubsub.addEventListener('gossipsub:message', ({ detail }) => void heard.push(detail.msgId))
  stock.services.pubsub.subscribe('harbour')
  gossip.pubsub.subscribe('harbour')
  await expect.poll(() => gossip.meshPeers('harbour'), PATIENT).toEqual([stock.peerId.toString()])
  const bytes = new Uint8Array([1, 2, 3])
  const published = await Promise.all([gossip.publish('harbour', bytes), gossip.publish('harbour', bytes)])
  expect(published.map(({ recipients }) => recipients)).toEqual([1, 1])
  expect(new Set(published.map(({ id }) => id)).size).toBe(2)
  await expect
    .poll(() => heard.toSorted((a, b) => (a < b ? -1 : 1)), PATIENT)
    .toEqual(published.map(({ id }) => id).toSorted((a, b) => (a < b ? -1 : 1)))
})

test('what goes to nobody has no recipients, and a topic that is not subscribed has no mesh', async () => {
  expect(await gossip.publish('a topic of nobody', new Uint8Array([1]))).toMatchObject({ recipients: 0 })
  expect(gossip.meshPeers('a topic of nobody')).toEqual([])
})

test('it stops twice without harm, and says nothing afterwards', async () => {
  await gossip.stop()
  await gossip.stop()
  expect(gossip.pubsub.getPeers()).toEqual([])
})
