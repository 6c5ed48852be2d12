import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { afterEach, expect, test } from 'vitest'
import { createNode, type FootbridgeNode } from './create-node.ts'

const stops: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

/** A stock relay: foreign code on the other side. */
async function relay(): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
    transports: [webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), relay: circuitRelayServer() },
  })
  stops.push(async () => node.stop())
  return node
}

async function client(): Promise<FootbridgeNode> {
  const node = await createNode({ key: await generateKeyPair('Ed25519'), transports: [], listen: [], now: () => performance.now() })
  stops.push(async () => node.libp2p.stop())
  return node
}

const addressOf = (node: Libp2p): string => node.getMultiaddrs()[0]?.toString() ?? ''
const circuits = (node: FootbridgeNode): string[] =>
  node.libp2p
    .getMultiaddrs()
    .map(String)
    .filter((address) => address.includes('/p2p-circuit'))
const signal = (): AbortSignal => AbortSignal.timeout(5_000)

test('a reservation is made again on the same node after the link was lost, as often as needed', async () => {
  const bridge = await relay()
  const alice = await client()
  for (let round = 0; round < 3; round++) {
    const link = await alice.dialBridge([addressOf(bridge)], signal())
    expect(await alice.reserve(bridge.peerId, signal())).toBeGreaterThan(Date.now())
    expect(circuits(alice).length).toBe(1)
    await link.close()
    expect(alice.bridgeConnections(bridge.peerId)).toEqual([])
  }
})

test('a reservation can be replaced while it lasts', async () => {
  const bridge = await relay()
  const alice = await client()
  await alice.dialBridge([addressOf(bridge)], signal())
  await alice.reserve(bridge.peerId, signal())
  await alice.reserve(bridge.peerId, signal())
  expect(circuits(alice).length).toBe(1)
})

test('a bridge that once spoke no relay protocol is not black-listed', async () => {
  const bridge = await relay()
  const alice = await client()
  await alice.dialBridge([addressOf(bridge)], signal())
  const hop = '/libp2p/circuit/relay/0.2.0/hop'
  await bridge.unhandle(hop)
  await expect(alice.reserve(bridge.peerId, signal())).rejects.toMatchObject({ name: 'FootbridgeError' })
  await (bridge.services as unknown as { relay: { start(): Promise<void>; stop(): Promise<void> } }).relay.stop()
  await (bridge.services as unknown as { relay: { start(): Promise<void> } }).relay.start()
  await alice.reserve(bridge.peerId, signal())
  expect(circuits(alice).length).toBe(1)
})
