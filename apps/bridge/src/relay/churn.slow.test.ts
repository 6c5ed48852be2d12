/**
 * Peers that come, reserve and go, one after another, and leave nothing behind: no entry in a book or map, and no memory that grows with their number.
 * As many as CHURN_CLIENTS says; `npm test` has ten thousand. Each is a stock libp2p node with a session and a circuit's worth of HOP.
 */
import { usedMemory } from '@footbridge/protocols/fuzz/test-fuzz'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { noise } from '@libp2p/noise'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, expect, it } from 'vitest'
import { createBench, type TestBridge } from '../test-bridge.ts'
import { askHop, eventually, holdings, liftLimits } from '../test-raw-peers.ts'
import { STATUS } from './wire.ts'

const CLIENTS = Number(process.env['CHURN_CLIENTS'] ?? 1_000)
const WARM_UP = Math.min(500, CLIENTS / 2)
/** At a time. */
const LANES = 8
/** A hundred bytes a peer would be a leak that shows after a week; what compiled code and tables move is below a few megabytes. */
const LEFT_BYTES = 3_000_000

const bench = createBench()
afterEach(() => bench.end())

async function comeAndGo(bridge: TestBridge): Promise<void> {
  const privateKey = await generateKeyPair('Ed25519')
  const peer = peerIdFromPrivateKey(privateKey).toString()
  bridge.registry.admit({
    peer,
    tokenId: 't_churn',
    tokenLabel: '',
    guest: false,
    name: 'Bob',
    expiresAt: Number.MAX_SAFE_INTEGER,
    ...NO_LIMITS,
  })
  const node = await createLibp2p({
    privateKey,
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  })
  try {
    const connection = await node.dial(multiaddr(bridge.addresses[0]))
    const { reply } = await askHop(connection, { type: 'RESERVE' })
    expect(reply.status).toBe(STATUS.OK)
    connection.abort(new Error('gone'))
  } finally {
    await node.stop()
  }
  bridge.registry.end(peer, 'logout')
}

const NO_LIMITS = {
  maxReservations: null,
  maxCircuits: null,
  circuitsPerMinute: null,
  bytesPerDay: null,
  bytesPerSecond: null,
} as const

async function manyComeAndGo(bridge: TestBridge, count: number): Promise<void> {
  let left = count
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      while (left-- > 0) await comeAndGo(bridge)
    }),
  )
}

it(`${CLIENTS} peers that come, reserve and go leave nothing behind`, { timeout: 1_200_000 }, async () => {
  const bridge = await bench.startBridge()
  await liftLimits(bridge)
  await manyComeAndGo(bridge, WARM_UP)
  const before = await usedMemory()
  await manyComeAndGo(bridge, CLIENTS - WARM_UP)
  await eventually(() => expect(holdings(bridge)).toEqual({ connections: 0, streams: 0, circuits: 0, reachable: 0 }))
  expect(bridge.registry.list()).toEqual([])
  await eventually(async () => expect(await bridge.node.peerStore.all()).toEqual([]))
  expect(bridge.node.getPeers()).toEqual([])
  expect((await usedMemory()) - before).toBeLessThan(LEFT_BYTES)
})
