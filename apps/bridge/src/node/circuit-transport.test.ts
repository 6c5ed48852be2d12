/** Circuits to a whole bridge: who may bring one, and how many at once. */
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import type { Connection, Stream } from '@libp2p/interface'
import type { TransportManager } from '@libp2p/interface-internal'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, it, vi } from 'vitest'
import { MAX_PENDING_CIRCUITS } from '../limits.ts'
import { frameMessage } from '../relay/framing.ts'
import { decodeStopMessage, encodeHopMessage, encodeStopMessage, HOP_PROTOCOL, STATUS, STOP_PROTOCOL } from '../relay/wire.ts'
import { createBench, type Peer, type TestBridge } from '../test-bridge.ts'
import { eventually } from '../test-raw-peers.ts'

// Whole nodes take seconds on a machine that is busy.
vi.setConfig({ testTimeout: 90_000 })

const bench = createBench()
afterEach(() => bench.end())

const startRelay = (): Promise<Peer> =>
  bench.startNode({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    services: { identify: identify(), ping: ping(), relay: circuitRelayServer() },
  })

/** What the bridge says to somebody who wants to come by a circuit. */
async function askStop(connection: Connection, from: Peer): Promise<{ status: number | undefined; stream: Stream }> {
  const stream = await connection.newStream(STOP_PROTOCOL, { maxOutboundStreams: 2 * MAX_PENDING_CIRCUITS })
  const frames = lpStream(stream)
  await frames.write(encodeStopMessage({ type: 'CONNECT', peer: { id: from.peerId.toMultihash().bytes, addrs: [] } }))
  const { status } = decodeStopMessage((await frames.read({ signal: AbortSignal.timeout(20_000) })).subarray())
  return { status, stream: frames.unwrap() }
}

function listenersOf({ node }: TestBridge): number {
  // libp2p's class has them; its interface does not show them.
  const { components } = node as unknown as { components: { transportManager: TransportManager } }
  return components.transportManager.getListeners().length
}

it('refuses a circuit from who is no relay of its own, and neither keeps a listener for them nor reserves there', async () => {
  const bridge = await bench.startBridge()
  const mallory = await startRelay()
  const connection = await mallory.dial(multiaddr(bridge.addresses[0] ?? 'none'))
  const before = listenersOf(bridge)
  for (let count = 0; count < 5; count++) {
    const { status, stream } = await askStop(connection, mallory)
    expect(status).toBe(STATUS.PERMISSION_DENIED)
    await stream.close()
  }
  expect(listenersOf(bridge)).toBe(before)
  expect(bridge.node.services.circuits.relays()).toEqual([])
  // Nothing of it is left open either.
  await eventually(() =>
    expect(
      bridge.node
        .getConnections(mallory.peerId)
        .flatMap(({ streams }) => streams)
        .filter(({ protocol }) => protocol === STOP_PROTOCOL),
    ).toEqual([]),
  )
})

it("keeps no listener for who is named in the addresses of somebody else's reservation", async () => {
  const bridge = await bench.startBridge({ dialPrivate: '127.0.0.0/8' })
  const [relay, friend] = await Promise.all(
    [0, 1].map(() => bench.startNode({ addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] }, transports: [tcp()] })),
  )
  const addrs = [relay!, friend!].map((node) => node.getMultiaddrs()[0]!.bytes)
  await relay!.handle(HOP_PROTOCOL, async (stream) => {
    const expire = BigInt(Math.floor(Date.now() / 1_000) + 3_600)
    stream.send(frameMessage(encodeHopMessage({ type: 'STATUS', status: STATUS.OK, reservation: { expire, addrs } })))
    await stream.close()
  })
  await bridge.node.services.circuits.reserve(relay!.getMultiaddrs()[0]!)
  expect(bridge.node.services.circuits.relays()).toContain(friend!.peerId.toString())

  const connection = await friend!.dial(multiaddr(bridge.addresses[0] ?? 'none'))
  const before = listenersOf(bridge)
  for (let count = 0; count < 5; count++) (await askStop(connection, friend!)).stream.abort(new Error('done'))
  expect(listenersOf(bridge)).toBe(before)
})

it('has so many circuits wait for their handshake and no more, and takes the next when one is gone', async () => {
  const bridge = await bench.startBridge({ dialPrivate: '127.0.0.0/8' })
  const relay = await startRelay()
  await bridge.node.services.circuits.reserve(relay.getMultiaddrs()[0]!)
  const connection = await eventually(() => relay.getConnections(bridge.node.peerId)[0] ?? Promise.reject(new Error('not yet')))

  const waiting = await Promise.all(Array.from({ length: MAX_PENDING_CIRCUITS }, () => askStop(connection, relay)))
  expect(new Set(waiting.map(({ status }) => status))).toEqual(new Set([STATUS.OK]))
  expect((await askStop(connection, relay)).status).toBe(STATUS.RESOURCE_LIMIT_EXCEEDED)
  waiting[0]?.stream.abort(new Error('gone'))
  await eventually(async () => expect((await askStop(connection, relay)).status).toBe(STATUS.OK))
})
