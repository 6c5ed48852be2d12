/** A whole bridge: what a session hears on its control stream, when limits change under running circuits, and what happens when the bridge is asked to stop. */
import { gossipsub, type GossipSub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { lpStream } from '@libp2p/utils'
import type { Connection, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { CONTROL_PROTOCOL } from '@footbridge/shared/protocol-ids'
import { decodeControlFrame, type ControlFrame } from '@footbridge/shared/wire/control-frame'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createBench, type Peer, type TestBridge } from './test-bridge.ts'

const bench = createBench()
afterEach(() => bench.end())

const eventually = <Value>(check: () => Value): Promise<Value> => vi.waitFor(check, { timeout: 5_000, interval: 5 })
const circuitTo = (bridge: TestBridge, peer: Peer): string => `${bridge.addresses[0]!}/p2p-circuit/p2p/${peer.peerId.toString()}`

/** Says hello on a control stream and keeps what it is told. */
async function listen(bridge: TestBridge, node: Peer): Promise<ControlFrame[]> {
  const [connection] = node.getConnections(peerIdFromString(bridge.peer))
  const frames = lpStream(await connection!.newStream(CONTROL_PROTOCOL))
  const heard: ControlFrame[] = []
  await frames.write(encodeJsonFrame({ type: 'hello', now: Date.now() }))
  const read = async (): Promise<void> => {
    for (;;) {
      const frame = decodeControlFrame((await frames.read()).subarray())
      if (frame !== undefined) heard.push(frame)
    }
  }
  read().catch(() => {})
  await eventually(() => expect(heard).toHaveLength(1))
  return heard
}

interface Scene {
  readonly bridge: TestBridge
  readonly alice: Peer
  readonly tokenId: string
  readonly heard: ControlFrame[]
  readonly circuit: Connection
  readonly open: () => Promise<Stream>
  readonly received: () => number
}

/** Alice is a browser that listens on control, bob a native peer with a circuit to her. */
async function start(settings: Record<string, string> = {}): Promise<Scene> {
  const bridge = await bench.startBridge(settings)
  const { node: alice, session } = await bench.startBrowser(bridge, 'Alice')
  let received = 0
  await alice.handle(
    '/sink/1',
    (stream) => {
      stream.addEventListener('message', ({ data }) => {
        received += data.byteLength
      })
    },
    { runOnLimitedConnection: true },
  )
  const heard = await listen(bridge, alice)
  const bob = await bench.startNative()
  const circuit = await bob.dial(multiaddr(circuitTo(bridge, alice)))
  const open = (): Promise<Stream> => circuit.newStream('/sink/1', { runOnLimitedConnection: true })
  return { bridge, alice, tokenId: session.token.id, heard, circuit, open, received: () => received }
}

describe('limits that an operator changes', () => {
  it('are told to the sessions of the token, and slow a running circuit at once, and let it go again', async () => {
    const { bridge, tokenId, heard, open, received } = await start()
    expect(heard[0]).toMatchObject({ type: 'welcome', limits: { bytesPerSecond: null, circuits: null } })
    const stream = await open()
    await bridge.tokens.limit(tokenId, { bytesPerSecond: 10_000, maxCircuits: 7 })
    await eventually(() => expect(heard[1]).toMatchObject({ type: 'limits', limits: { bytesPerSecond: 10_000, circuits: 7 } }))
    stream.send(new Uint8Array(1_000_000))
    await eventually(() =>
      expect(heard).toContainEqual(expect.objectContaining({ type: 'held', limit: 'bytes_per_second', scope: 'token' })),
    )
    expect(received()).toBeLessThan(1_000_000)
    await bridge.tokens.limit(tokenId, { bytesPerSecond: null })
    await eventually(() => expect(received()).toBe(1_000_000))
  })

  it('refuse the next circuit, and say so to whom it was meant for', async () => {
    const { bridge, alice, tokenId, heard, circuit } = await start()
    await bridge.tokens.limit(tokenId, { maxCircuits: 1 })
    const charlie = await bench.startNative()
    await expect(charlie.dial(multiaddr(circuitTo(bridge, alice)))).rejects.toThrow()
    await eventually(() => expect(heard.at(-1)).toEqual({ type: 'held', limit: 'circuits', scope: 'token', until: null }))
    expect([circuit.status, bridge.relay.counters().tokens.get(tokenId)?.circuitsRefused]).toEqual(['open', { RESOURCE_LIMIT_EXCEEDED: 1 }])
  })

  it('hold for what is said in rooms as well, and who says it is told', async () => {
    const bridge = await bench.startBridge()
    const services = { identify: identify(), ping: ping(), pubsub: gossipsub() }
    const { node: alice, session } = await bench.startBrowser(bridge, 'Alice', undefined, undefined, { services })
    const heard = await listen(bridge, alice)
    const { pubsub } = alice.services as unknown as { readonly pubsub: GossipSub }
    pubsub.subscribe('harbour')
    await eventually(() => expect(pubsub.getSubscribers('harbour').map(String)).toEqual([bridge.peer]))
    await bridge.tokens.limit(session.token.id, { bytesPerDay: 150 })
    await pubsub.publish('harbour', new Uint8Array(100))
    await vi.waitFor(async () => expect(await bridge.tokens.show(session.token.id)).toMatchObject({ bytesToday: 100 }), { timeout: 5_000 })
    await pubsub.publish('harbour', new Uint8Array(100))
    await eventually(() => expect(heard.at(-1)).toMatchObject({ type: 'held', limit: 'bytes_per_day', scope: 'token' }))
  })

  it('reach a session that logs in while they change', async () => {
    const { bridge, tokenId } = await start()
    await bridge.tokens.limit(tokenId, { bytesPerDay: 5_000_000 })
    const { session } = await bench.startBrowser(bridge, 'Bob')
    expect(bridge.registry.get(session.peer)?.grant.bytesPerDay).toBe(5_000_000)
  })
})

describe('a bridge that is asked to stop', () => {
  it('says when to come back, refuses what is new, and waits for what runs until it has ended', async () => {
    const { bridge, alice, heard, circuit } = await start({ drain: '5' })
    const startedAt = performance.now()
    const stopped = bridge.stop()
    await eventually(() => expect(heard.map(({ type }) => type)).toEqual(['welcome', 'draining', 'ending']))
    expect(heard[1]).toMatchObject({ type: 'draining', awayMs: 60_000 })
    if (heard[1]?.type === 'draining') expect(heard[1].reconnectInMs).toBeGreaterThanOrEqual(5_000)
    expect(heard[2]).toMatchObject({ type: 'ending', reason: 'draining', peer: expect.any(String) })
    const charlie = await bench.startNative()
    await expect(charlie.dial(multiaddr(circuitTo(bridge, alice)))).rejects.toThrow()
    expect([circuit.status, (await fetch(`${bridge.url}/healthz`)).status]).toEqual(['open', 503])
    circuit.abort(new Error('moved to another path'))
    await stopped
    expect(performance.now() - startedAt).toBeLessThan(4_500)
  })

  it('cuts what is left when the time is over', async () => {
    const { bridge, heard, circuit } = await start({ drain: '0.3' })
    const startedAt = performance.now()
    await bridge.stop()
    expect(performance.now() - startedAt).toBeGreaterThan(250)
    expect(heard.map(({ type }) => type)).toEqual(['welcome', 'draining', 'ending'])
    await eventually(() => expect(circuit.status).not.toBe('open'))
    expect(bridge.relay.counters().total.circuitsCut).toEqual({ draining: 1 })
  })
})
