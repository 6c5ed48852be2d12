/** What can be said of topics before there is a network; with one: e2e/programs. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createNode, type FootbridgeNode } from '../node/create-node.ts'
import { MAX_PUBLISHED_BYTES, MAX_TOPICS } from './limits.ts'
import { createTopics, type Topics } from './topics.ts'

let node: FootbridgeNode
let topics: Topics

beforeEach(async () => {
  node = await createNode({ key: await generateKeyPair('Ed25519'), transports: [], listen: [], now: () => performance.now() })
  topics = createTopics({ components: node.components, tell: () => undefined })
})
afterEach(async () => {
  await topics.stop()
  await node.libp2p.stop()
})

test('nobody pays for gossipsub who uses no topic: asking for the mesh does not make one', async () => {
  const before = node.libp2p.getProtocols()
  expect([topics.meshStats(), topics.meshPeers('harbour'), topics.subscribedPeers('harbour')]).toEqual([[], [], []])
  expect(await topics.unsubscribe('harbour')).toBe('harbour')
  expect(node.libp2p.getProtocols()).toEqual(before)
  await topics.subscribe('harbour')
  expect(node.libp2p.getProtocols()).toContain('/meshsub/1.1.0')
})

test('a topic is subscribed once however often, and is gone when it was left', async () => {
  await Promise.all([topics.subscribe('harbour'), topics.subscribe('harbour')])
  await topics.subscribe('pier')
  expect(topics.meshStats().map(({ topic }) => topic)).toEqual(['harbour', 'pier'])
  await topics.unsubscribe('harbour')
  expect(topics.meshStats()).toEqual([{ topic: 'pier', count: 0 }])
})

test.each(['', 'x'.repeat(257), 'ü'.repeat(129)])('a topic of the wrong length is refused: %#', async (topic) => {
  await expect(topics.subscribe(topic)).rejects.toMatchObject({ code: 'bad_request' })
  await expect(topics.publish(topic, new Uint8Array(1))).rejects.toMatchObject({ code: 'bad_request' })
})

test('more topics than a bridge carries, too long a message, and one that nobody hears are refused', async () => {
  for (let count = 0; count < MAX_TOPICS; count++) await topics.subscribe(`topic ${count}`)
  await expect(topics.subscribe('one more')).rejects.toMatchObject({ code: 'bad_request' })
  await expect(topics.publish('topic 0', new Uint8Array(MAX_PUBLISHED_BYTES + 1))).rejects.toMatchObject({ code: 'too_large' })
  await expect(topics.publish('topic 0', new Uint8Array(1))).rejects.toMatchObject({ code: 'no_subscribers' })
})

test('once stopped there are no topics any more, and none can be made', async () => {
  await topics.subscribe('harbour')
  await topics.stop()
  await topics.stop()
  expect(topics.meshStats()).toEqual([])
  await expect(topics.subscribe('harbour')).rejects.toMatchObject({ code: 'aborted' })
})
