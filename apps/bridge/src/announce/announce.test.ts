/** Announcing over real libp2p streams on loopback: a registry moved by hand, places that only remember. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, Ed25519PrivateKey, Libp2p, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { signRecords } from '@footbridge/protocols/announce/signed-records'
import { ANNOUNCE_PROTOCOL } from '@footbridge/shared/protocol-ids'
import { base64urlEncode } from '@footbridge/shared/text-codec'
import { decodeAnnounceFrame, type AnnounceFrame, type AnnouncePlace, type Visibility } from '@footbridge/shared/wire/announce-frame'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createRegistry, type Registry } from '../peers/registry.ts'
import type { Grant } from '../peers/session.ts'
import { createAnnounce, type Announce } from './announce.ts'
import type { Carried } from './announcement.ts'
import type { Place } from './place.ts'

const cleanups: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const grant = (peer: string, change: Partial<Grant> = {}): Grant => ({
  peer,
  tokenId: 't_1',
  tokenLabel: '',
  guest: false,
  name: '',
  expiresAt: Number.MAX_SAFE_INTEGER,
  maxReservations: null,
  maxCircuits: null,
  circuitsPerMinute: null,
  bytesPerDay: null,
  bytesPerSecond: null,
  ...change,
})

async function startNode(listen: string[] = [], privateKey?: Ed25519PrivateKey): Promise<Libp2p> {
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

interface MemoryPlace extends Place {
  readonly told: Map<string, Carried>
}

function memoryPlace(name: Place['name'], names: readonly string[]): MemoryPlace {
  const told = new Map<string, Carried>()
  return {
    name,
    told,
    names: () => names,
    announce(carried) {
      told.set(carried.peer, carried)
      return 'announced'
    },
    withdraw: (peer) => void told.delete(peer),
  }
}

interface Bridge {
  readonly node: Libp2p
  readonly registry: Registry
  readonly announce: Announce
  readonly mdns: MemoryPlace
  /** Circuit addresses through this bridge; changeable. */
  readonly own: string[]
  readonly time: { now: number }
}

async function startBridge(limits: { maxPeers?: number; maxPeersPerToken?: number } = {}): Promise<Bridge> {
  const node = await startNode(['/ip4/127.0.0.1/tcp/0'])
  const time = { now: 1_000_000 }
  const registry = createRegistry({ clock: () => time.now, connectionsOf: () => 1 })
  const mdns = memoryPlace('mdns', ['_p2p._udp.local'])
  const own = node.getMultiaddrs().map((address) => `${address.toString()}/p2p-circuit`)
  const announce = createAnnounce({
    node,
    registry,
    places: [mdns, memoryPlace('rendezvous', [])],
    topics: () => ['discovery'],
    ownCircuits: () => [...own],
    clock: () => time.now,
    onError: () => undefined,
    ...limits,
  })
  await announce.start()
  cleanups.push(() => announce.stop())
  return { node, registry, announce, mdns, own, time }
}

interface Device {
  readonly peer: string
  readonly key: Ed25519PrivateKey
  readonly frames: AnnounceFrame[]
  readonly stream: Stream
  readonly connection: Connection
  readonly say: (frame: unknown) => void
  readonly choose: (visibility: Visibility) => void
  /** Signs as asked last, unless told otherwise. */
  readonly sign: (change?: { addresses?: readonly string[]; seq?: bigint; key?: Ed25519PrivateKey }) => Promise<void>
  readonly places: () => Record<string, string>
}

async function connect(bridge: Libp2p, key: Ed25519PrivateKey): Promise<Device> {
  const node = await startNode([], key)
  const connection = await node.dial(bridge.getMultiaddrs())
  const stream = await connection.newStream(ANNOUNCE_PROTOCOL)
  const lines = lpStream(stream)
  const frames: AnnounceFrame[] = []
  const read = async (): Promise<void> => {
    for (;;) {
      const frame = decodeAnnounceFrame((await lines.read()).subarray())
      if (frame !== undefined) frames.push(frame)
    }
  }
  read().catch(() => {})
  const say = (frame: unknown): void => void lines.write(encodeJsonFrame(frame)).catch(() => {})
  return {
    peer: node.peerId.toString(),
    key,
    frames,
    stream,
    connection,
    say,
    choose: (visibility) => say({ type: 'visible', visibility }),
    async sign({ addresses, seq, key: signer = key } = {}) {
      const wanted = frames.findLast((frame) => frame.type === 'wanted')
      const given = (addresses ?? wanted?.addresses ?? []).map((address) => multiaddr(address))
      const { envelope, legacy } = await signRecords(signer, given, seq ?? BigInt((wanted?.after ?? 0) + 1))
      say({ type: 'record', envelope: base64urlEncode(envelope), legacy: base64urlEncode(legacy) })
    },
    places: () => statesIn(frames.findLast((frame) => frame.type === 'places')?.places ?? []),
  }
}

const statesIn = (places: readonly AnnouncePlace[]): Record<string, string> =>
  Object.fromEntries(places.map(({ place, state }) => [place, state]))
const eventually = <Value>(check: () => Value): Promise<Value> => vi.waitFor(check, { timeout: 8_000, interval: 5 })
const count = (device: Device, type: AnnounceFrame['type']): number => device.frames.filter((frame) => frame.type === type).length
const refusal = (device: Device): string | undefined => device.frames.findLast((frame) => frame.type === 'refused')?.reason

/** A session that is reachable, with its stream. */
async function startDevice(bridge: Bridge, change: Partial<Grant> = {}): Promise<Device> {
  const key = await generateKeyPair('Ed25519')
  const peer = key.publicKey.toString()
  bridge.registry.admit(grant(peer, change))
  bridge.registry.reserved(peer)
  return connect(bridge.node, key)
}

/** And announced. */
async function startAnnounced(bridge: Bridge, change: Partial<Grant> = {}): Promise<Device> {
  const device = await startDevice(bridge, change)
  device.choose('network')
  await eventually(() => expect(count(device, 'wanted')).toBe(1))
  await device.sign()
  await eventually(() => expect(bridge.mdns.told.has(device.peer)).toBe(true))
  return device
}

describe('announcing', () => {
  it('asks for a record of its own circuits, carries it as it came, and says where', async () => {
    const bridge = await startBridge()
    const alice = await startDevice(bridge)
    alice.choose('network')
    await eventually(() => expect(count(alice, 'wanted')).toBe(1))
    expect(alice.frames.find(({ type }) => type === 'wanted')).toEqual({ type: 'wanted', addresses: bridge.own, after: 0 })
    expect(alice.places()).toEqual({ presence: 'announced', mdns: 'ready', rendezvous: 'off', pubsub: 'ready' })
    await alice.sign()
    await eventually(() => expect(alice.places()).toMatchObject({ mdns: 'announced' }))
    expect(alice.frames.findLast((frame) => frame.type === 'places')?.places).toContainEqual({
      place: 'mdns',
      state: 'announced',
      names: ['_p2p._udp.local'],
    })
    const { envelope, legacy } = await signRecords(
      alice.key,
      bridge.own.map((address) => multiaddr(address)),
      1n,
    )
    expect(bridge.mdns.told.get(alice.peer)).toMatchObject({ envelope, legacy, seq: 1 })
    expect([bridge.registry.get(alice.peer), bridge.announce.announced()]).toMatchObject([{ visibility: 'network' }, 1])
  })

  it('tells nobody of a device that chose less, and stops at once when it does', async () => {
    const bridge = await startBridge()
    const alice = await startAnnounced(bridge)
    alice.choose('bridge')
    await eventually(() => expect(bridge.mdns.told.size).toBe(0))
    await eventually(() => expect(alice.places()).toEqual({ presence: 'announced', mdns: 'off', rendezvous: 'off', pubsub: 'off' }))
    alice.choose('nobody')
    await eventually(() => expect(alice.places()).toMatchObject({ presence: 'off' }))
    await alice.sign({ seq: 9n })
    await eventually(() => expect(refusal(alice)).toBe('unasked'))
    expect(bridge.registry.get(alice.peer)).toMatchObject({ visibility: 'nobody' })
    expect(bridge.mdns.told.size).toBe(0)
  })

  it('takes a peer out of every place when its session ends, and when it cannot be reached', async () => {
    const bridge = await startBridge()
    const alice = await startAnnounced(bridge)
    bridge.registry.unreserved(alice.peer)
    await eventually(() => expect(bridge.mdns.told.size).toBe(0))
    await eventually(() => expect(alice.places()).toMatchObject({ presence: 'ready', mdns: 'ready' }))
    bridge.registry.reserved(alice.peer)
    await eventually(() => expect(bridge.mdns.told.size).toBe(1))
    bridge.registry.end(alice.peer, 'logout')
    await eventually(() => expect([bridge.mdns.told.size, alice.stream.status]).toEqual([0, 'reset']))
    expect(bridge.announce.announced()).toBe(0)
  })

  it('heeds a choice that comes with a login as it does one on the stream', async () => {
    const bridge = await startBridge()
    const alice = await startAnnounced(bridge)
    bridge.registry.admit(grant(alice.peer, { visibility: 'nobody' }))
    await eventually(() => expect(bridge.mdns.told.size).toBe(0))
  })

  it('asks again when its own addresses change, tells of the newer record, and gives up one that fits no more', async () => {
    const bridge = await startBridge()
    const alice = await startAnnounced(bridge)
    const [before = ''] = bridge.own
    bridge.own.splice(0, 1, before.replace(/tcp\/\d+/, 'tcp/4001'))
    bridge.announce.ownAddressesChanged()
    await eventually(() => expect(count(alice, 'wanted')).toBe(2))
    expect(bridge.mdns.told.get(alice.peer)?.addresses.map(String)).toEqual([before])
    await alice.sign({ addresses: [before] })
    await eventually(() => expect(refusal(alice)).toBe('address'))
    await alice.sign()
    await eventually(() => expect(bridge.mdns.told.get(alice.peer)?.addresses.map(String)).toEqual(bridge.own))
    bridge.announce.ownAddressesChanged()
    expect(count(alice, 'wanted')).toBe(2)
  })

  it.each([
    ['a record of another peer', 'peer'],
    ['an address that it did not ask for', 'address'],
    ['no address', 'address'],
    ['a number that it had before', 'number'],
    ['two records that differ', 'malformed'],
    ['bytes that are none', 'malformed'],
    ['another signature', 'signature'],
  ])('refuses %s, and goes on carrying what it has', async (what, reason) => {
    const bridge = await startBridge()
    const alice = await startAnnounced(bridge)
    const bob = await generateKeyPair('Ed25519')
    const own = bridge.own.map((address) => multiaddr(address))
    const [first, second] = [await signRecords(alice.key, own, 2n), await signRecords(alice.key, own, 3n)]
    const text = (bytes: Uint8Array): string => base64urlEncode(bytes)
    const spoilt = Uint8Array.from(first.envelope, (byte, index) => (index === first.envelope.length - 1 ? byte ^ 1 : byte))
    if (reason === 'peer') await alice.sign({ key: bob })
    else if (what.startsWith('an address'))
      await alice.sign({ addresses: [bridge.own[0]?.replace('127.0.0.1', '192.0.2.66') ?? ''], seq: 2n })
    else if (what === 'no address') await alice.sign({ addresses: [], seq: 2n })
    else if (reason === 'number') await alice.sign({ seq: 1n })
    else if (what.startsWith('two')) alice.say({ type: 'record', envelope: text(first.envelope), legacy: text(second.legacy) })
    else if (reason === 'malformed') alice.say({ type: 'record', envelope: 'AAAA', legacy: 'AAAA' })
    else alice.say({ type: 'record', envelope: text(spoilt), legacy: text(first.legacy) })
    await eventually(() => expect(refusal(alice)).toBe(reason))
    expect(bridge.mdns.told.get(alice.peer)?.seq).toBe(1)
  })

  it('has room for so many in all and for so many of a token, and for the next when one goes', async () => {
    const bridge = await startBridge({ maxPeers: 3, maxPeersPerToken: 2 })
    const alice = await startAnnounced(bridge)
    await startAnnounced(bridge)
    const third = await startDevice(bridge)
    third.choose('network')
    await eventually(() => expect(count(third, 'wanted')).toBe(1))
    await third.sign()
    await eventually(() => expect(refusal(third)).toBe('full'))
    await startAnnounced(bridge, { tokenId: 't_2' })
    const last = await startDevice(bridge, { tokenId: 't_3' })
    last.choose('network')
    await eventually(() => expect(count(last, 'wanted')).toBe(1))
    await last.sign()
    await eventually(() => expect(refusal(last)).toBe('full'))
    bridge.registry.end(alice.peer, 'logout')
    await last.sign()
    await eventually(() => expect(bridge.mdns.told.has(last.peer)).toBe(true))
  })

  it('keeps to the choice over a lost connection, and hears it again on the next', async () => {
    const bridge = await startBridge()
    const alice = await startAnnounced(bridge)
    alice.connection.abort(new Error('gone'))
    await eventually(() => expect(bridge.node.getConnections()).toEqual([]))
    expect(bridge.mdns.told.size).toBe(1)
    const again = await connect(bridge.node, alice.key)
    again.choose('network')
    await eventually(() => expect(again.frames.find(({ type }) => type === 'wanted')).toMatchObject({ after: 1 }))
    await again.sign()
    await eventually(() => expect(bridge.mdns.told.get(alice.peer)?.seq).toBe(2))
  })

  it('resets the stream of whoever has no session, says too much, or breaks the protocol', async () => {
    const bridge = await startBridge()
    const stranger = await connect(bridge.node, await generateKeyPair('Ed25519'))
    await eventually(() => expect(stranger.stream.status).toBe('reset'))
    const alice = await startDevice(bridge)
    for (let index = 0; index < 70; index++) alice.choose(index % 2 === 0 ? 'nobody' : 'bridge')
    await eventually(() => expect(alice.stream.status).toBe('reset'))
    const bob = await startDevice(bridge)
    bob.say({ type: 'visible', visibility: 'everybody' })
    await eventually(() => expect(bob.stream.status).toBe('reset'))
  })

  it('takes everybody out of every place when it stops, twice as well as once', async () => {
    const bridge = await startBridge()
    const alice = await startAnnounced(bridge)
    await bridge.announce.stop()
    expect(bridge.mdns.told.size).toBe(0)
    await bridge.announce.stop()
    await eventually(() => expect(alice.stream.status).toBe('reset'))
  })
})
