/** The browser's node beside stock peers: settings whose stock values would hang or lose something (docs/pitfalls.md). */
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, expect, test } from 'vitest'
import { createNode, isCircuit } from './create-node.ts'

const stops: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function stock(listen: string[], isRelay: boolean): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen },
    transports: [webSockets(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    connectionManager: { inboundConnectionThreshold: 1_000 },
    services: { identify: identify(), ...(isRelay && { relay: circuitRelayServer() }) },
  })
  stops.push(async () => {
    for (const connection of node.getConnections()) connection.abort(new Error('the test is over'))
    await node.stop()
  })
  return node
}

test('twelve peers who dial through one bridge at once all get in', { timeout: 30_000 }, async () => {
  const bridge = await stock(['/ip4/127.0.0.1/tcp/0/ws'], true)
  const address = bridge.getMultiaddrs()[0]?.toString() ?? ''
  const alice = await createNode({ key: await generateKeyPair('Ed25519'), transports: [], listen: [], now: () => performance.now() })
  stops.push(async () => alice.libp2p.stop())
  await alice.dialBridge([address], AbortSignal.timeout(10_000))
  await alice.reserve(bridge.peerId, AbortSignal.timeout(10_000))
  const callers = await Promise.all(Array.from({ length: 12 }, () => stock([], false)))
  // The sixth in a second would hang until its dial gave up: all of them come from the bridge's address.
  const dials = callers.map((caller) => caller.dial(multiaddr(`${address}/p2p-circuit/p2p/${alice.libp2p.peerId.toString()}`)))
  const outcomes = await Promise.allSettled(dials)
  expect(outcomes.map(({ status }) => status)).toEqual(callers.map(() => 'fulfilled'))
})

test('a dial of a circuit neither takes another connection to that peer nor waits for another dial', { timeout: 30_000 }, async () => {
  const bridge = await stock(['/ip4/127.0.0.1/tcp/0/ws'], true)
  const address = bridge.getMultiaddrs()[0]?.toString() ?? ''
  const bob = await stock(['/ip4/127.0.0.1/tcp/0/ws', `${address}/p2p-circuit`], false)
  const alice = await createNode({ key: await generateKeyPair('Ed25519'), transports: [], listen: [], now: () => performance.now() })
  stops.push(async () => alice.libp2p.stop())
  const direct = await alice.libp2p.dial(bob.getMultiaddrs().filter((ma) => !ma.toString().includes('p2p-circuit')))
  // A dial that hangs: nobody answers at a port that only accepts.
  const silent = createServer().listen(0, '127.0.0.1')
  stops.push(async () => silent.close())
  await once(silent, 'listening')
  const hanging = new AbortController()
  const hung = alice.libp2p.dial(
    multiaddr(`/ip4/127.0.0.1/tcp/${(silent.address() as AddressInfo).port}/ws/p2p/${bob.peerId.toString()}`),
    {
      force: true,
      signal: hanging.signal,
    },
  )
  const circuit = await alice.dial(`${address}/p2p-circuit/p2p/${bob.peerId.toString()}`, AbortSignal.timeout(10_000))
  expect([isCircuit(circuit), circuit.id === direct.id, circuit.remotePeer.equals(bob.peerId)]).toEqual([true, false, true])
  hanging.abort()
  await expect(hung).rejects.toThrow()
})
