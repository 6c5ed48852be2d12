/** mDNS on the loopback interface, at a port of its own: stock @libp2p/mdns asks, and what it finds is dialled by its circuit address. */
import os from 'node:os'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { TypedEventEmitter, type Libp2pEvents, type PeerInfo } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { multiaddr } from '@multiformats/multiaddr'
import multicastDns, { type ResponsePacket } from 'multicast-dns'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { MDNS_TTL_SECONDS } from '../limits.ts'
import type { Carried } from './announcement.ts'
import { describePeer } from './mdns-packets.ts'
import { createMdnsPlace, type MdnsPlace } from './mdns-place.ts'

const BRIDGE = '12D3KooWGzBTkvHqLgVHWXsQzzYVrRBkbGj7WJ3xxqkfnyBVsZPD'
const CIRCUIT = `/ip4/127.0.0.1/tcp/4001/p2p/${BRIDGE}/p2p-circuit`
const TAGS = ['_p2p._udp.local', 'goop-mdns.local']
const cleanups: (() => Promise<unknown> | void)[] = []
let port: number
let names: number

beforeEach(() => {
  // Every socket of multicast-dns joins and sends here, and nothing leaves the machine.
  const [lo] = os.networkInterfaces()['lo'] ?? []
  vi.spyOn(os, 'networkInterfaces').mockReturnValue({ lo: lo === undefined ? [] : [lo] })
  port = 20_000 + Math.floor(Math.random() * 30_000)
  names = 0
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  vi.restoreAllMocks()
})

const carried = (peer: string, addresses: readonly string[] = [CIRCUIT]): Carried => ({
  peer,
  seq: 1,
  envelope: new Uint8Array(),
  legacy: new Uint8Array(),
  addresses: addresses.map((address) => multiaddr(address)),
})

const somePeer = async (): Promise<string> => (await generateKeyPair('Ed25519')).publicKey.toString()

function startPlace(maxPeers?: number): MdnsPlace {
  const place = createMdnsPlace({
    tags: () => TAGS,
    open: () => multicastDns({ port }),
    randomName: () => `name-${++names}`,
    now: () => performance.now(),
    onError: (error) => {
      throw error
    },
    ...(maxPeers !== undefined && { maxPeers }),
  })
  place.start()
  cleanups.push(() => place.stop())
  return place
}

/** Stock discovery of a peer that has no addresses of its own to tell. */
async function discover(serviceTag: string, interval = 10_000): Promise<PeerInfo[]> {
  const discovery = mdns({ serviceTag, port, interval })({
    addressManager: { getAddresses: () => [] },
    logger: { forComponent: () => Object.assign(() => undefined, { error: () => undefined, trace: () => undefined }) },
    events: new TypedEventEmitter<Libp2pEvents>(),
  } as never) as ReturnType<ReturnType<typeof mdns>> & { start(): Promise<void>; stop(): Promise<void> }
  const found: PeerInfo[] = []
  discovery.addEventListener('peer', ({ detail }) => found.push(detail))
  await discovery.start()
  cleanups.push(() => discovery.stop())
  return found
}

/** Whatever is said on this LAN. */
async function listen(): Promise<ResponsePacket[]> {
  const socket = multicastDns({ port })
  const heard: ResponsePacket[] = []
  socket.on('response', (packet) => heard.push(packet))
  await new Promise<void>((resolve) => socket.once('ready', resolve))
  cleanups.push(() => new Promise<void>((resolve) => socket.destroy(resolve)))
  return heard
}

const eventually = <Value>(check: () => Value): Promise<Value> => vi.waitFor(check, { timeout: 10_000, interval: 20 })
const pointers = (heard: readonly ResponsePacket[], ttl: number): string[] =>
  heard.flatMap(({ answers = [] }) => answers.flatMap((answer) => (answer.type === 'PTR' && answer.ttl === ttl ? [answer.data] : [])))

describe('mDNS of virtual peers', () => {
  it('is found by stock js-libp2p under every service name, with the circuit address that the peer signed', async () => {
    const place = startPlace()
    const [alice, bob] = [await somePeer(), await somePeer()]
    for (const peer of [alice, bob]) expect(place.announce(carried(peer))).toBe('announced')
    for (const tag of TAGS) {
      const found = await discover(tag)
      await eventually(() => expect(new Set(found.map(({ id }) => id.toString()))).toEqual(new Set([alice, bob])))
      expect(found[0]?.multiaddrs.map(String)).toEqual([CIRCUIT])
    }
  })

  it('tells who comes at once, says goodbye for who goes, and answers no more for them', async () => {
    const place = startPlace()
    const heard = await listen()
    const [alice, bob] = [await somePeer(), await somePeer()]
    place.announce(carried(alice))
    await eventually(() => expect(pointers(heard, MDNS_TTL_SECONDS)).toEqual(expect.arrayContaining(TAGS.map((tag) => `name-1.${tag}`))))
    place.withdraw(alice)
    await eventually(() => expect(pointers(heard, 0)).toEqual(TAGS.map((tag) => `name-1.${tag}`)))
    place.announce(carried(bob))
    const found = await discover(TAGS[0] ?? '', 200)
    await eventually(() => expect(found.filter(({ id }) => id.toString() === bob).length).toBeGreaterThan(1))
    expect(found.map(({ id }) => id.toString())).not.toContain(alice)
  })

  it('says goodbye for everybody when the bridge stops, before it closes', async () => {
    const place = startPlace()
    const heard = await listen()
    const peers = await Promise.all([somePeer(), somePeer(), somePeer()])
    for (const peer of peers) place.announce(carried(peer))
    await place.stop()
    await eventually(() => expect(pointers(heard, 0)).toHaveLength(peers.length * TAGS.length))
    await place.stop()
    expect(() => place.announce(carried(peers[0] ?? ''))).toThrow('does not run')
  })

  it('gives new addresses a new name, and takes the old one back', async () => {
    const place = startPlace()
    const heard = await listen()
    const alice = await somePeer()
    place.announce(carried(alice))
    place.announce(carried(alice, [CIRCUIT.replace('4001', '4002')]))
    await eventually(() => expect(pointers(heard, 0)).toEqual(TAGS.map((tag) => `name-1.${tag}`)))
    const found = await discover(TAGS[0] ?? '')
    await eventually(() => expect(found.map(({ multiaddrs }) => multiaddrs.map(String))).toContainEqual([CIRCUIT.replace('4001', '4002')]))
  })

  it('answers a storm of questions once in a second', async () => {
    let time = 0
    let sent = 0
    const { promise: asked, resolve } = Promise.withResolvers<(packet: { questions: { name: string; type: 'PTR' }[] }) => void>()
    const socket = {
      respond: (_packet: unknown, done: (error: null) => void) => {
        sent++
        done(null)
      },
      destroy: (done: () => void) => done(),
      on(event: string, listener: never) {
        if (event === 'query') resolve(listener)
        return socket
      },
    }
    vi.useFakeTimers()
    cleanups.push(() => void vi.useRealTimers())
    const place = createMdnsPlace({
      tags: () => TAGS.slice(0, 1),
      open: () => socket as never,
      randomName: () => 'name',
      now: () => time,
      onError: () => undefined,
    })
    place.start()
    const ask = await asked
    place.announce(carried(BRIDGE))
    await vi.advanceTimersByTimeAsync(2_000)
    sent = 0
    for (const at of [0, 1, 500, 999]) {
      time = at
      for (let count = 0; count < 100; count++) ask({ questions: [{ name: '_P2P._udp.local', type: 'PTR' }] })
      await vi.advanceTimersByTimeAsync(1)
    }
    expect(sent).toBe(1)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(sent).toBe(2)
    ask({ questions: [{ name: '_other._udp.local', type: 'PTR' }] })
    await vi.advanceTimersByTimeAsync(2_000)
    expect(sent).toBe(2)
    await place.stop()
  })

  it('has room for so many, and again when one goes', async () => {
    const place = startPlace(2)
    const [alice, bob, charlie] = [await somePeer(), await somePeer(), await somePeer()]
    expect([alice, bob, charlie].map((peer) => place.announce(carried(peer)))).toEqual(['announced', 'announced', 'full'])
    place.withdraw(bob)
    expect(place.announce(carried(charlie))).toBe('announced')
  })

  it('leaves out what is too long for a TXT record, and says so when nothing is left', () => {
    const long = `/dns/${'a'.repeat(60)}.${'b'.repeat(60)}.example/tcp/443/tls/ws/p2p/${BRIDGE}/p2p-circuit`
    const { texts } = describePeer(carried(BRIDGE, [long, CIRCUIT]), 'name') ?? { texts: [] }
    expect(texts).toEqual([`dnsaddr=${CIRCUIT}/p2p/${BRIDGE}`])
    expect(describePeer(carried(BRIDGE, [long]), 'name')).toBeUndefined()
    const many = Array.from({ length: 16 }, (_, index) => CIRCUIT.replace('4001', String(4_001 + index)))
    expect(describePeer(carried(BRIDGE, many), 'name')?.texts.join('').length).toBeLessThanOrEqual(1_000)
  })
})
