/** Control over real libp2p streams on loopback: a registry moved by hand, notices given by hand. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, Libp2p, PrivateKey, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { CONTROL_PROTOCOL } from '@footbridge/shared/protocol-ids'
import { decodeControlFrame, type ControlFrame, type SessionLimits } from '@footbridge/shared/wire/control-frame'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'
import { createLibp2p } from 'libp2p'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createRegistry, type Registry } from '../peers/registry.ts'
import type { Grant } from '../peers/session.ts'
import { createControl, type Control } from './control.ts'

const NOW = 1_000_000
const LIMITS: SessionLimits = { bytesPerSecond: 1_000, bytesPerDay: null, bytesUsedToday: 5, circuits: 3, circuitsPerMinute: null }
const cleanups: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const grant = (peer: string, tokenId = 't_1'): Grant => ({
  peer,
  tokenId,
  tokenLabel: '',
  guest: false,
  name: '',
  expiresAt: Number.MAX_SAFE_INTEGER,
  maxReservations: null,
  maxCircuits: null,
  circuitsPerMinute: null,
  bytesPerDay: null,
  bytesPerSecond: null,
})

async function startNode(listen: string[] = [], privateKey?: PrivateKey): Promise<Libp2p> {
  const node = await createLibp2p({
    ...(privateKey && { privateKey }),
    addresses: { listen },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  })
  cleanups.push(() => {
    for (const connection of node.getConnections()) connection.abort(new Error('the test is over'))
    return node.stop()
  })
  return node
}

interface Bridge {
  readonly node: Libp2p
  readonly registry: Registry
  readonly control: Control
  readonly time: { now: number }
}

async function startBridge(): Promise<Bridge> {
  const node = await startNode(['/ip4/127.0.0.1/tcp/0'])
  const time = { now: NOW }
  const registry = createRegistry({ clock: () => time.now, connectionsOf: () => 1 })
  const limitsOf = (peer: string): SessionLimits | undefined => (registry.get(peer) === undefined ? undefined : LIMITS)
  const control = createControl({ node, registry, limitsOf, clock: () => time.now, random: () => 0.5 })
  await control.start()
  cleanups.push(() => control.stop())
  return { node, registry, control, time }
}

interface Listener {
  readonly peer: string
  readonly frames: ControlFrame[]
  readonly stream: Stream
  readonly connection: Connection
}

/** Says hello and keeps what it is told. */
async function listen(bridge: Libp2p, client: Libp2p, given?: Connection): Promise<Listener> {
  const connection = given ?? (await client.dial(bridge.getMultiaddrs()))
  const stream = await connection.newStream(CONTROL_PROTOCOL)
  const lines = lpStream(stream)
  const frames: ControlFrame[] = []
  await lines.write(encodeJsonFrame({ type: 'hello', now: 1 }))
  const read = async (): Promise<void> => {
    for (;;) {
      const frame = decodeControlFrame((await lines.read()).subarray())
      if (frame !== undefined) frames.push(frame)
    }
  }
  read().catch(() => {})
  return { peer: client.peerId.toString(), frames, stream, connection }
}

const eventually = <Value>(check: () => Value): Promise<Value> => vi.waitFor(check, { timeout: 8_000, interval: 5 })
const typesOf = ({ frames }: Listener): string[] => frames.map(({ type }) => type)

async function startAlice(): Promise<Bridge & { alice: Listener }> {
  const bridge = await startBridge()
  const node = await startNode()
  bridge.registry.admit(grant(node.peerId.toString()))
  const alice = await listen(bridge.node, node)
  await eventually(() => expect(typesOf(alice)).toEqual(['welcome']))
  return { ...bridge, alice }
}

describe('control', () => {
  it('answers a hello with the clock and the limits, once', async () => {
    const { alice } = await startAlice()
    expect(alice.frames).toEqual([{ type: 'welcome', now: NOW, limits: LIMITS }])
  })

  it('is for sessions alone, and ends with them', async () => {
    const { alice, registry, node } = await startAlice()
    const stranger = await (await startNode()).dial(node.getMultiaddrs())
    const stream = await stranger.newStream(CONTROL_PROTOCOL)
    await eventually(() => expect(stream.status).toBe('reset'))
    registry.end(alice.peer, 'revoked')
    await eventually(() => expect(alice.stream.status).toBe('reset'))
  })

  it('tells each limit that holds a session up at most once a second, and the session alone', async () => {
    const { alice, control, registry, node, time } = await startAlice()
    const bobNode = await startNode()
    registry.admit(grant(bobNode.peerId.toString()))
    const bob = await listen(node, bobNode)
    await eventually(() => expect(typesOf(bob)).toEqual(['welcome']))
    for (let count = 0; count < 5; count++) {
      control.held(alice.peer, { limit: 'circuits', scope: 'token', until: null })
      control.held(alice.peer, { limit: 'bytes_per_second', scope: 'bridge', until: time.now + count })
    }
    time.now += 999
    control.held(alice.peer, { limit: 'circuits', scope: 'peer', until: null })
    time.now += 1
    control.held(alice.peer, { limit: 'circuits', scope: 'address', until: null })
    await eventually(() => expect(alice.frames).toHaveLength(4))
    expect(alice.frames.slice(1)).toEqual([
      { type: 'held', limit: 'circuits', scope: 'token', until: null },
      { type: 'held', limit: 'bytes_per_second', scope: 'bridge', until: NOW },
      { type: 'held', limit: 'circuits', scope: 'address', until: null },
    ])
    expect(typesOf(bob)).toEqual(['welcome'])
  })

  it('tells which circuit ends, why and when', async () => {
    const { alice, control } = await startAlice()
    control.ending(alice.peer, { other: 'bob', reason: 'duration', at: NOW + 2_000 })
    await eventually(() => expect(alice.frames.at(-1)).toEqual({ type: 'ending', peer: 'bob', reason: 'duration', at: NOW + 2_000 }))
  })

  it('tells the sessions of a token that its limits changed, and no others', async () => {
    const { alice, control } = await startAlice()
    control.limitsChanged('t_other')
    control.limitsChanged('t_1')
    await eventually(() => expect(alice.frames.slice(1)).toEqual([{ type: 'limits', limits: LIMITS }]))
  })

  it('tells everybody when to come back', async () => {
    const { alice, control } = await startAlice()
    control.draining({ afterMs: 2_000, awayMs: 60_000 })
    await eventually(() => expect(alice.frames.slice(1)).toEqual([{ type: 'draining', reconnectInMs: 2_003, awayMs: 60_000 }]))
  })

  it('tells the older connection that a newer one serves, again after it has served in between, and leaves it its stream', async () => {
    const { node, registry } = await startBridge()
    const key = await generateKeyPair('Ed25519')
    const [phone, laptop] = [await startNode([], key), await startNode([], key)]
    registry.admit(grant(phone.peerId.toString()))
    const older = await listen(node, phone)
    await eventually(() => expect(typesOf(older)).toEqual(['welcome']))
    const newer = await listen(node, laptop)
    await eventually(() => expect(typesOf(older)).toEqual(['welcome', 'replaced']))
    // Another stream of the same connection is the same device.
    const again = await listen(node, laptop, newer.connection)
    await eventually(() => expect(typesOf(again)).toEqual(['welcome']))
    expect([typesOf(newer), older.stream.status]).toEqual([['welcome'], 'open'])

    for (const { connection } of [newer, again]) connection.abort(new Error('gone'))
    // Whoever comes now proves that the bridge knows that the newer one is gone.
    await eventually(() => expect(node.getConnections(phone.peerId)).toHaveLength(1))
    const third = await listen(node, laptop, await laptop.dial(node.getMultiaddrs(), { force: true }))
    await eventually(() => expect(typesOf(third)).toEqual(['welcome']))
    await eventually(() => expect(typesOf(older)).toEqual(['welcome', 'replaced', 'replaced']))
  })

  it('resets a stream that says nothing that it knows, one that says too much, and one that breaks the protocol', async () => {
    const { alice, node } = await startAlice()
    for (let count = 0; count < 70; count++) alice.stream.send(framed({ type: 'later', count }))
    await eventually(() => expect(alice.stream.status).toBe('reset'))
    const client = await alice.connection.newStream(CONTROL_PROTOCOL)
    client.send(Uint8Array.of(3, 1, 2, 3))
    await eventually(() => expect(client.status).toBe('reset'))
    expect(node.status).toBe('started')
  })

  it('resets a reader that takes nothing, and keeps no more than it may owe', async () => {
    const { alice, control, time } = await startAlice()
    alice.stream.pause()
    let sent = 0
    while (alice.stream.status === 'open' && sent < 20_000) {
      for (let count = 0; count < 200; count++, sent++) control.ending(alice.peer, { other: 'x'.repeat(128), reason: 'peer', at: time.now })
      await new Promise((resolve) => setImmediate(resolve))
    }
    await eventually(() => expect(alice.stream.status).not.toBe('open'))
  })
})

function framed(frame: unknown): Uint8Array {
  const body = encodeJsonFrame(frame)
  return Uint8Array.of(body.length, ...body)
}
