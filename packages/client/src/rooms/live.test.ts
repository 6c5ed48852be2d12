import 'fake-indexeddb/auto'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { gossipsub, type GossipSub, type GossipSubComponents } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import type { Libp2p, PrivateKey, PublicKey } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { encodePeerRecord } from '@footbridge/protocols/uc-discovery/peer-record'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { ConnectionState } from '../api.ts'
import { createTransfers } from '../blobs/transfers.ts'
import { createLog } from '../log.ts'
import { writable } from '../observable.ts'
import { createPeople } from '../people.ts'
import { createBlobStore } from '../store/blobs.ts'
import { openDatabase, type Database } from '../store/database.ts'
import { createMessageStore } from '../store/messages.ts'
import { createPeerStore } from '../store/peers.ts'
import { createRoomStore } from '../store/rooms.ts'
import { ASK_NEIGHBOURS_EVERY_MS, KEPT_BURST } from './limits.ts'
import { openLiveRooms, type RunningRooms } from './live.ts'
import { DEFAULT_TOPICS } from './room-names.ts'
import type { RoomMessage } from './room.ts'
import { createRooms, type KeptRooms } from './rooms.ts'

const WAIT = 15_000
vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 })
const FIRST = DEFAULT_TOPICS.chat

type Node = Libp2p & { readonly services: { readonly parts: { readonly components: GossipSubComponents } } }
type Stock = Libp2p & { readonly services: { readonly pubsub: GossipSub } }

interface Person {
  readonly node: Node
  readonly rooms: KeptRooms
  readonly id: string
  readonly transfers: ReturnType<typeof createTransfers>
  readonly database: Database
  clock: number
  live: RunningRooms | undefined
  open(): Promise<void>
}

/** In the bridge's place: a stock peer that carries every topic. */
let middle: Stock
let native: Stock
let nativeKey: PrivateKey
const people: Person[] = []
let serial = 0
/** Stock peers that can be dialled beside the middle. */
let others: Stock[] = []
/** Of whom the bridge tells. */
let neighbours: () => { peer: string; addresses: string[] }[] = () => []

const parts = {
  transports: [webSockets()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false },
}

async function createStock(listens: boolean, privateKey?: PrivateKey): Promise<Stock> {
  return (await createLibp2p({
    ...parts,
    ...(privateKey && { privateKey }),
    addresses: { listen: listens ? ['/ip4/127.0.0.1/tcp/0/ws'] : [] },
    services: { identify: identify(), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
  })) as unknown as Stock
}

async function createPerson(): Promise<Person> {
  const node = (await createLibp2p({
    ...parts,
    privateKey: await generateKeyPair('Ed25519'),
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
    services: { identify: identify(), parts: (components: GossipSubComponents) => ({ components }) },
  })) as unknown as Node
  const database = await openDatabase(`rooms ${serial++}`, () => undefined)
  const now = (): number => Date.now() + person.clock
  const blobs = createBlobStore(database)
  const transfers = createTransfers(blobs)
  const importFile = async (_room: string, file: File) => {
    const { importFile: cut } = await import('../blobs/import.ts')
    return cut(file, { store: blobs, now, onProgress: () => undefined })
  }
  const id = node.peerId.toString()
  const rooms = createRooms({ store: createRoomStore(database), now, ownPeer: () => id, importFile, onChange: () => undefined })
  const person: Person = {
    node,
    rooms,
    id,
    transfers,
    database,
    clock: 0,
    live: undefined,
    async open() {
      person.live = await openLiveRooms({
        kept: {
          rooms,
          transfers,
          connection: writable<ConnectionState>({ state: 'away', code: 'unreachable', attempt: 1, retryAt: 0 }),
          log: createLog(now),
          people: createPeople(createPeerStore(database), createMessageStore(database), now),
          now,
          steady: () => performance.now() + person.clock,
        },
        libp2p: node,
        components: node.services.parts.components,
        connect: async (peer) => node.dial(addressOf(peer)),
        importFile,
        bridgePeer: () => middle.peerId.toString(),
        ownAddresses: () => [],
        bridgeUrl: 'https://bridge.example',
        fetch: async () => Response.json({ neighbours: neighbours() }),
        accessToken: () => 'jwt',
      })
    },
  }
  people.push(person)
  await node.dial(middle.getMultiaddrs())
  return person
}

function addressOf(peer: string) {
  return [...people.map(({ node }) => node), middle, ...others].find((node) => node.peerId.toString() === peer)?.getMultiaddrs() ?? []
}

/** Joined, and the middle knows. */
async function inRoom(name = FIRST): Promise<Person> {
  const person = await createPerson()
  await person.rooms.join(name)
  await person.open()
  await vi.waitFor(() => expect(stateOf(person, name)).toBe('here'), WAIT)
  await vi.waitFor(() => expect(middle.services.pubsub.getSubscribers(name).map(String)).toContain(person.id), WAIT)
  return person
}

const stateOf = (person: Person, name: string): string | undefined => person.rooms.list.get().find((room) => room.name === name)?.state
const said = (person: Person, name = FIRST): readonly RoomMessage[] => person.rooms.in(name).get()
const texts = (person: Person, name = FIRST): string[] =>
  said(person, name).flatMap(({ body }) => (body.kind === 'text' ? [body.text] : []))

beforeEach(async () => {
  neighbours = () => []
  others = []
  middle = await createStock(true)
  nativeKey = await generateKeyPair('Ed25519')
  native = await createStock(false, nativeKey)
  for (const topic of [...Object.values(DEFAULT_TOPICS), 'harbour', 'harbour-file']) middle.services.pubsub.subscribe(topic)
  await native.dial(middle.getMultiaddrs())
})

afterEach(async () => {
  for (const { live, node, database } of people.splice(0)) {
    await live?.stop()
    await node.stop()
    database.close()
  }
  await native.stop()
  await middle.stop()
})

/** The stock peer subscribes, and both it and the middle know. */
async function nativeJoins(topic: string): Promise<string[]> {
  const heard: string[] = []
  native.services.pubsub.addEventListener('message', ({ detail }) => {
    if (detail.topic === topic) heard.push(Buffer.from(detail.data).toString())
  })
  native.services.pubsub.subscribe(topic)
  await vi.waitFor(() => {
    expect(native.services.pubsub.getSubscribers(topic).map(String)).toContain(middle.peerId.toString())
    expect(middle.services.pubsub.getSubscribers(topic).map(String)).toContain(native.peerId.toString())
  }, WAIT)
  return heard
}

test('people in a room hear each other and a stock peer, each message once and with its sender', async () => {
  const [alice, bob] = [await inRoom(), await inRoom()]
  const nativeHears = await nativeJoins(FIRST)
  await alice.rooms.sendText(FIRST, 'good evening')
  await vi.waitFor(() => expect(texts(bob)).toEqual(['good evening']), WAIT)
  await vi.waitFor(() => expect(nativeHears).toEqual(['good evening']), WAIT)
  expect(said(bob)[0]).toMatchObject({ from: alice.id, own: false, status: 'sent' })
  await vi.waitFor(() => expect(said(alice)[0]).toMatchObject({ own: true, status: 'sent' }), WAIT)
  await native.services.pubsub.publish(FIRST, Buffer.from('hello from a terminal'))
  for (const person of [alice, bob]) await vi.waitFor(() => expect(texts(person)).toEqual(['good evening', 'hello from a terminal']), WAIT)
  expect(bob.rooms.list.get()[0]).toMatchObject({ unread: 2 })
  expect(
    bob.rooms.list
      .get()[0]
      ?.members.map(({ peer }) => peer)
      .sort(),
  ).toEqual([alice.id, native.peerId.toString()].sort())
  await bob.rooms.markRead(FIRST)
  await vi.waitFor(() => expect(bob.rooms.list.get()[0]).toMatchObject({ unread: 0 }), WAIT)
})

test('what nobody could take waits, and is said in its order when somebody is there', async () => {
  const alice = await createPerson()
  await alice.node.hangUp(middle.peerId)
  await alice.rooms.join(FIRST)
  await alice.open()
  alice.rooms.in(FIRST)
  for (const text of ['one', 'two', 'three']) await alice.rooms.sendText(FIRST, text)
  const nativeHears = await nativeJoins(FIRST)
  expect(said(alice).map(({ status }) => status)).toEqual(['waiting', 'waiting', 'waiting'])
  await alice.node.dial(middle.getMultiaddrs())
  await vi.waitFor(() => expect(nativeHears).toEqual(['one', 'two', 'three']), WAIT)
  await vi.waitFor(() => expect(said(alice).map(({ status }) => status)).toEqual(['sent', 'sent', 'sent']), WAIT)
})

test('a file offered in a room is fetched from its sender and kept', async () => {
  const [alice, bob] = [await inRoom('harbour'), await inRoom('harbour')]
  const bytes = new Uint8Array(300_000).fill(7)
  bytes.set([0x89, 0x50, 0x4e, 0x47])
  await alice.rooms.sendFile('harbour', new File([bytes], 'pier.png', { type: 'image/png' }))
  await vi.waitFor(() => expect(said(bob, 'harbour')).toHaveLength(1), WAIT)
  const offered = said(bob, 'harbour')[0]
  expect(offered?.body).toMatchObject({ kind: 'file', file: { offer: undefined } })
  await bob.rooms.fetchFile('harbour', offered?.id ?? '')
  const body = said(bob, 'harbour')[0]?.body
  if (body?.kind !== 'file' || body.file.offer === undefined) throw new Error('the file did not come')
  expect(body.file.offer).toMatchObject({ size: bytes.length, media: 'image/png' })
  const kept = await bob.transfers.open(body.file.offer)
  expect(Buffer.from(await kept.arrayBuffer()).equals(bytes)).toBe(true)
  expect(bob.transfers.of(body.file.transfer).get()).toMatchObject({ state: 'complete', bytesDone: bytes.length })
})

test('a file whose sender has gone fails, and can be asked for again', async () => {
  const [alice, bob] = [await inRoom('harbour'), await inRoom('harbour')]
  await alice.rooms.sendFile('harbour', new File([new Uint8Array(100)], 'pier.bin'))
  await vi.waitFor(() => expect(said(bob, 'harbour')).toHaveLength(1), WAIT)
  await alice.node.stop()
  const offered = said(bob, 'harbour')[0]
  await bob.rooms.fetchFile('harbour', offered?.id ?? '')
  if (offered?.body.kind !== 'file') throw new Error('no file')
  expect(bob.transfers.of(offered.body.file.transfer).get()).toMatchObject({ state: 'failed', error: 'peer_unreachable' })
  await bob.rooms.fetchFile('harbour', offered.id)
})

test('a time that was not heard stands in the room, and the next joins it', async () => {
  const alice = await inRoom()
  await native.services.pubsub.publish(FIRST, Buffer.from('before'))
  await vi.waitFor(() => expect(texts(alice)).toEqual(['before']), WAIT)
  await vi.waitFor(async () => expect((await alice.database.get('rooms', FIRST))?.heardUntil).toBeDefined(), WAIT)
  for (const absences of [1, 2]) {
    await alice.live?.stop()
    alice.clock += 60_000
    await alice.open()
    await vi.waitFor(() => expect(said(alice).at(-1)?.body.kind).toBe('gap'), WAIT)
    const gap = said(alice).at(-1)
    await vi.waitFor(() => {
      const { body, at } = said(alice).at(-1) ?? { body: undefined, at: 0 }
      expect(body?.kind === 'gap' && body.until - at).toBeGreaterThanOrEqual(absences * 60_000)
    }, WAIT)
    expect(gap).toMatchObject({ from: '', own: false })
  }
  expect(said(alice).filter(({ body }) => body.kind === 'gap')).toHaveLength(1)
  expect(alice.rooms.list.get()[0]).toMatchObject({ unread: 1 })
})

test('somebody who floods a room is kept to their pace, and what is no text is left out', async () => {
  const alice = await inRoom()
  await native.services.pubsub.publish(FIRST, Uint8Array.of(0xff, 0xfe, 0xfd))
  await native.services.pubsub.publish(FIRST, Buffer.from('   '))
  for (let index = 0; index < 3 * KEPT_BURST; index++) await native.services.pubsub.publish(FIRST, Buffer.from(`line ${index}`))
  await vi.waitFor(() => expect(texts(alice).length).toBeGreaterThanOrEqual(KEPT_BURST - 2), WAIT)
  expect(texts(alice).every((text) => text.startsWith('line'))).toBe(true)
  expect(texts(alice).length).toBeLessThan(2 * KEPT_BURST)
})

test('a room that is left is not heard any more, and nothing of it stays', async () => {
  const alice = await inRoom('harbour')
  await native.services.pubsub.publish('harbour', Buffer.from('hello'))
  await vi.waitFor(() => expect(texts(alice, 'harbour')).toEqual(['hello']), WAIT)
  await alice.rooms.leave('harbour')
  await vi.waitFor(() => expect(middle.services.pubsub.getSubscribers('harbour')).toEqual([]), WAIT)
  expect(await alice.database.count('roomMessages')).toBe(0)
})

test('the room is heard on when the first hop moves to another connection', async () => {
  const alice = await inRoom()
  const [before] = alice.node.getConnections(middle.peerId)
  const moved = await alice.node.dial(middle.getMultiaddrs(), { force: true })
  await vi.waitFor(() => expect(alice.node.getConnections(middle.peerId)).toHaveLength(2), WAIT)
  before?.abort(new Error('moved'))
  await vi.waitFor(() => expect(alice.node.getConnections(middle.peerId)).toEqual([moved]), WAIT)
  let count = 0
  await vi.waitFor(async () => {
    await native.services.pubsub.publish(FIRST, Buffer.from(`after ${count++}`))
    expect(texts(alice).length).toBeGreaterThan(0)
  }, WAIT)
})

test('a peer that tells its addresses on the discovery topic is known, and can be dialled there', async () => {
  const alice = await inRoom()
  const peer = native.peerId.toString()
  const record = encodePeerRecord(nativeKey.publicKey, [multiaddr('/dns4/peer.example/tcp/443/tls/ws')])
  await vi.waitFor(async () => {
    await native.services.pubsub.publish(DEFAULT_TOPICS.discovery, record)
    expect(alice.live?.addresses(peer)).toEqual([`/dns4/peer.example/tcp/443/tls/ws/p2p/${peer}`])
  }, WAIT)
  await vi.waitFor(() => expect(alice.rooms.list.get()[0]?.members.map((member) => member.peer)).toContain(peer), WAIT)
  alice.clock += 10 * 60_000
  expect(alice.live?.addresses(peer)).toEqual([])
})

test('what a peer says of another is a hint: it makes nobody a member, and does not stand against what that one says', async () => {
  const alice = await inRoom()
  const say = (key: PublicKey, address: string): Promise<unknown> =>
    native.services.pubsub.publish(DEFAULT_TOPICS.discovery, encodePeerRecord(key, [multiaddr(address)]))
  const stranger = await generateKeyPair('Ed25519')
  const strange = stranger.publicKey.toString()
  await vi.waitFor(async () => {
    await say(stranger.publicKey, '/dns4/strange.example/tcp/443/tls/ws')
    expect(alice.live?.addresses(strange)).toHaveLength(1)
  }, WAIT)
  await say(nativeKey.publicKey, '/dns4/own.example/tcp/443/tls/ws')
  await vi.waitFor(() => expect(alice.live?.addresses(native.peerId.toString())).toHaveLength(1), WAIT)
  expect(alice.rooms.list.get()[0]?.members.map(({ peer }) => peer)).toEqual([native.peerId.toString()])
  // Another says something else of the native peer, and then something that shows that it was heard.
  const other = await createStock(false)
  try {
    other.services.pubsub.subscribe(DEFAULT_TOPICS.discovery)
    await other.dial(middle.getMultiaddrs())
    await vi.waitFor(() => expect(other.services.pubsub.getSubscribers(DEFAULT_TOPICS.discovery)).toHaveLength(1), WAIT)
    const late = await generateKeyPair('Ed25519')
    const tell = (key: PublicKey): Promise<unknown> =>
      other.services.pubsub.publish(DEFAULT_TOPICS.discovery, encodePeerRecord(key, [multiaddr('/dns4/false.example/tcp/443/tls/ws')]))
    await vi.waitFor(async () => {
      await tell(nativeKey.publicKey)
      await tell(late.publicKey)
      expect(alice.live?.addresses(late.publicKey.toString())).toHaveLength(1)
    }, WAIT)
    expect(alice.live?.addresses(native.peerId.toString())).toEqual([`/dns4/own.example/tcp/443/tls/ws/p2p/${native.peerId.toString()}`])
  } finally {
    await other.stop()
  }
})

test('native peers of whom the bridge tells are members, until it tells of them no more, and can be dialled', async () => {
  const address = `/ip4/127.0.0.1/tcp/4002/ws/p2p/${native.peerId.toString()}`
  neighbours = () => [{ peer: native.peerId.toString(), addresses: [address] }]
  const alice = await inRoom()
  const members = (): string[] | undefined => alice.rooms.list.get()[0]?.members.map(({ peer }) => peer)
  await vi.waitFor(() => expect(members()).toEqual([native.peerId.toString()]), WAIT)
  expect(alice.live?.addresses(native.peerId.toString())).toEqual([address])
  neighbours = () => []
  alice.clock += ASK_NEIGHBOURS_EVERY_MS
  await vi.waitFor(() => expect(members()).toEqual([]), WAIT)
})

test('a native peer that fetches only over a connection that is there has one when it hears of a file', async () => {
  const listening = await createStock(true)
  try {
    const alice = await inRoom()
    const peer = listening.peerId.toString()
    neighbours = () => [{ peer, addresses: listening.getMultiaddrs().map(String) }]
    others = [listening]
    listening.services.pubsub.subscribe(DEFAULT_TOPICS.files)
    await listening.dial(middle.getMultiaddrs())
    const connectedWhenHeard: boolean[] = []
    listening.services.pubsub.addEventListener('message', ({ detail }) => {
      if (detail.topic === DEFAULT_TOPICS.files) connectedWhenHeard.push(listening.getConnections(alice.node.peerId).length > 0)
    })
    await vi.waitFor(() => expect(middle.services.pubsub.getSubscribers(DEFAULT_TOPICS.files).map(String)).toContain(peer), WAIT)
    await alice.rooms.sendFile(FIRST, new File([new Uint8Array(100)], 'pier.bin'))
    await vi.waitFor(() => expect(connectedWhenHeard).toEqual([true]), WAIT)
  } finally {
    await listening.stop()
  }
})

test('a file is offered although nobody of whom the bridge tells can be reached', async () => {
  neighbours = () => [{ peer: native.peerId.toString(), addresses: [] }]
  const [alice, bob] = [await inRoom(), await inRoom()]
  await alice.rooms.sendFile(FIRST, new File([new Uint8Array(100)], 'pier.bin'))
  await vi.waitFor(() => expect(said(bob)).toHaveLength(1), WAIT)
})
