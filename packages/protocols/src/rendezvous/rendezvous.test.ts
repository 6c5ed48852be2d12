/** Client and point over real libp2p on the loopback. The rules are those of SPEC.md. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, Ed25519PrivateKey, Libp2p, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { signRecords } from '../announce/signed-records.ts'
import { frameStream } from '../frame-stream.ts'
import { openEitherRecord, signLegacyRecord } from './records.ts'
import { createRendezvousClient, type RendezvousClient } from './rendezvous-client.ts'
import { createRendezvousServer, type RendezvousServer, type RendezvousServerOptions } from './rendezvous-server.ts'
import { decodeMessage, encodeMessage, MAX_REQUEST_BYTES, RENDEZVOUS_PROTOCOL, STATUS, type RendezvousMessage } from './wire.ts'

// Nodes are made and dialled, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const PATIENCE = { timeout: 20_000 }
const ADDRESS = multiaddr('/ip4/192.0.2.1/tcp/4001')
const OTHER_ADDRESS = multiaddr('/ip4/192.0.2.2/tcp/4001')

interface Peer {
  readonly key: Ed25519PrivateKey
  readonly node: Libp2p
  readonly client: RendezvousClient
}

let point: Libp2p
let server: RendezvousServer | undefined
let peers: Peer[]
let now: number

beforeEach(async () => {
  now = 1_700_000_000_000
  peers = []
  point = await createNode(await generateKeyPair('Ed25519'), true)
})

afterEach(async () => {
  await server?.stop(point)
  server = undefined
  for (const node of [point, ...peers.map((peer) => peer.node)]) await node.stop()
})

function createNode(privateKey: Ed25519PrivateKey, listens: boolean): Promise<Libp2p> {
  return createLibp2p({
    privateKey,
    addresses: { listen: listens ? ['/ip4/127.0.0.1/tcp/0'] : [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  })
}

async function createPeer(addresses = [ADDRESS]): Promise<Peer> {
  const key = await generateKeyPair('Ed25519')
  const node = await createNode(key, false)
  const client = createRendezvousClient({ node, privateKey: key, addresses: () => addresses, clock: () => now })
  const peer = { key, node, client }
  peers.push(peer)
  return peer
}

async function startServer(options: Partial<RendezvousServerOptions> = {}): Promise<RendezvousServer> {
  server = createRendezvousServer({ policy: { scopesOf: () => [] }, clock: () => now, schedule: () => () => undefined, ...options })
  await server.start(point)
  return server
}

/** Sends each message as it is, and reads as many answers as there are before the point closes. */
async function raw({ node }: Peer, messages: readonly (RendezvousMessage | Uint8Array)[]): Promise<RendezvousMessage[]> {
  const stream = await node.dialProtocol(point.getMultiaddrs(), RENDEZVOUS_PROTOCOL)
  const frames = frameStream(stream, { maxFrameBytes: 1024 * 1024 })
  for (const message of messages) await frames.write([message instanceof Uint8Array ? message : encodeMessage(message)])
  await stream.close()
  const answers: RendezvousMessage[] = []
  for (let bytes = await frames.read(); bytes !== undefined; bytes = await frames.read()) answers.push(decodeMessage(bytes))
  return answers
}

/** A point that does what it is told instead of what the specification says. */
async function startStrange(handle: (stream: Stream, connection: Connection) => void): Promise<void> {
  await point.handle(RENDEZVOUS_PROTOCOL, handle)
}

const at = (): ReturnType<Libp2p['getMultiaddrs']> => point.getMultiaddrs()

describe('a client and a point', () => {
  test('S1: who registers is discovered by others, with the addresses that it signed', async () => {
    await startServer()
    const [alice, bob] = [await createPeer(), await createPeer()]
    expect(await alice.client.register(at(), 'meadow', { ttlSeconds: 600 })).toEqual({ ttlSeconds: 600, form: 'standard' })
    now += 100_000
    const { found } = await bob.client.discover(at(), { namespace: 'meadow' })
    expect(
      found.map(({ peer, namespace, addresses, ttlSeconds }) => [peer.toString(), namespace, addresses.map(String), ttlSeconds]),
    ).toEqual([[alice.node.peerId.toString(), 'meadow', [ADDRESS.toString()], 500]])
    expect((await bob.client.discover(at(), { namespace: 'forest' })).found).toEqual([])
    expect((await bob.client.discover(at())).found).toHaveLength(1)
  })

  test('S2: who asks for no time to live gets two hours, and one outside the limits is refused', async () => {
    await startServer({ ttl: { minSeconds: 60 } })
    const alice = await createPeer()
    expect((await alice.client.register(at(), 'meadow')).ttlSeconds).toBe(7200)
    for (const ttlSeconds of [0, 59, 72 * 3600 + 1])
      await expect(alice.client.register(at(), 'meadow', { ttlSeconds })).rejects.toMatchObject({ code: 'invalid_ttl', status: 102 })
    expect((await alice.client.register(at(), 'meadow', { ttlSeconds: 60 })).ttlSeconds).toBe(60)
    expect((await alice.client.register(at(), 'meadow', { ttlSeconds: 72 * 3600 })).ttlSeconds).toBe(72 * 3600)
  })

  test('S3: who unregisters is not discovered any more, from one namespace or from all', async () => {
    const running = await startServer()
    const [alice, bob] = [await createPeer(), await createPeer()]
    for (const namespace of ['a', 'b', 'c']) await alice.client.register(at(), namespace)
    await alice.client.unregister(at(), 'a')
    await alice.client.unregister(at(), 'unknown')
    await expect.poll(() => running.totals().unregistered, PATIENCE).toBe(1)
    expect((await bob.client.discover(at())).found.map(({ namespace }) => namespace)).toEqual(['b', 'c'])
    await raw(alice, [{ type: 'unregister', namespace: undefined }])
    expect((await bob.client.discover(at())).found).toEqual([])
    expect(running.totals()).toMatchObject({ registered: 3, unregistered: 3, served: 2, notServed: 0 })
  })

  test('S4: both forms of record are taken and given back byte for byte', async () => {
    await startServer()
    const [alice, bob, asker] = [await createPeer(), await createPeer(), await createPeer()]
    const standard = (await signRecords(alice.key, [ADDRESS], 1n)).envelope
    const legacy = await signLegacyRecord(bob.key, [OTHER_ADDRESS], 1n)
    const register = (record: Uint8Array): RendezvousMessage => ({ type: 'register', namespace: 'meadow', record, ttlSeconds: undefined })
    expect(await raw(alice, [register(standard)])).toMatchObject([{ status: STATUS.ok, ttlSeconds: 7200 }])
    expect(await raw(bob, [register(legacy)])).toMatchObject([{ status: STATUS.ok }])
    const [answer] = await raw(asker, [{ type: 'discover', namespace: 'meadow', limit: undefined, cookie: undefined }])
    expect(
      answer?.type === 'discover-answer' && answer.registrations.map(({ record }) => Buffer.from(record ?? []).toString('hex')),
    ).toEqual([standard, legacy].map((record) => Buffer.from(record).toString('hex')))
    expect((await asker.client.discover(at(), { namespace: 'meadow' })).found).toHaveLength(2)
  })

  test('S4: who reads the legacy form alone gets nothing else, because one unreadable record would cost it the whole answer', async () => {
    await startServer()
    const [alice, bob, rust] = [await createPeer(), await createPeer(), await createPeer()]
    await alice.client.register(at(), 'meadow')
    // Two records of one number are the same record in two forms.
    await bob.client.register(at(), 'meadow')
    const held = (await alice.client.discover(at())).found.find(({ peer }) => peer.equals(bob.node.peerId))
    await raw(bob, [
      { type: 'register', namespace: 'meadow', record: await signLegacyRecord(bob.key, [ADDRESS], held?.seq ?? 0n), ttlSeconds: undefined },
    ])
    await raw(rust, [
      { type: 'register', namespace: 'elsewhere', record: await signLegacyRecord(rust.key, [ADDRESS], 1n), ttlSeconds: undefined },
    ])
    const { found } = await rust.client.discover(at(), { namespace: 'meadow' })
    expect(found.map(({ peer }) => peer.toString())).toEqual([bob.node.peerId.toString()])
    const opened = await openEitherRecord(found[0]?.record ?? new Uint8Array())
    expect(opened).toMatchObject({ form: 'legacy' })
  })

  test('S5: a cookie brings only what is new since, renewals too, page by page', async () => {
    await startServer()
    const [alice, bob, charlie] = [await createPeer(), await createPeer(), await createPeer()]
    await alice.client.register(at(), 'meadow')
    await bob.client.register(at(), 'meadow')
    await bob.client.register(at(), 'forest')
    const first = await charlie.client.discover(at(), { namespace: 'meadow', limit: 1 })
    const second = await charlie.client.discover(at(), { namespace: 'meadow', limit: 1, cookie: first.cookie })
    const third = await charlie.client.discover(at(), { namespace: 'meadow', limit: 1, cookie: second.cookie })
    const names = [first, second, third].map(({ found }) => found.map(({ peer }) => peer.toString()))
    expect(names).toEqual([[alice.node.peerId.toString()], [bob.node.peerId.toString()], []])
    await alice.client.register(at(), 'meadow')
    const fourth = await charlie.client.discover(at(), { namespace: 'meadow', cookie: third.cookie })
    expect(fourth.found.map(({ peer }) => peer.toString())).toEqual([alice.node.peerId.toString()])
  })

  test('S6: a cookie of another namespace, another start or nobody is refused, and the client says which', async () => {
    const first = await startServer()
    const alice = await createPeer()
    const { cookie } = await alice.client.discover(at(), { namespace: 'meadow' })
    for (const query of [{ namespace: 'forest', cookie }, { cookie }, { namespace: 'meadow', cookie: new Uint8Array(30) }])
      await expect(alice.client.discover(at(), query)).rejects.toMatchObject({
        name: 'RendezvousError',
        code: 'invalid_cookie',
        status: 103,
      })
    expect(first.totals()).toMatchObject({ served: 1, notServed: 3 })
    await first.stop(point)
    await startServer()
    await expect(alice.client.discover(at(), { namespace: 'meadow', cookie })).rejects.toMatchObject({ code: 'invalid_cookie' })
  })

  test('S6: a cookie has eight bytes and then text, as Rust’s client wants it', async () => {
    await startServer()
    const alice = await createPeer()
    const { cookie } = await alice.client.discover(at(), { namespace: 'meadow' })
    expect(Buffer.from(cookie?.subarray(8) ?? []).toString()).toMatch(/^[A-Za-z0-9_-]{22}$/)
  })

  test.each([
    ['no namespace', { namespace: undefined }, STATUS.invalidNamespace],
    ['an empty namespace', { namespace: '' }, STATUS.invalidNamespace],
    ['a namespace of 256 bytes', { namespace: 'é'.repeat(128) }, STATUS.invalidNamespace],
    ['no record', { record: undefined }, STATUS.invalidRecord],
    ['a record that is none', { record: Uint8Array.of(1, 2, 3) }, STATUS.invalidRecord],
    ['a record that is too large', { record: new Uint8Array(9000) }, STATUS.invalidRecord],
  ])('S7: a registration with %s is answered with its status and words', async (_what, change, status) => {
    await startServer()
    const alice = await createPeer()
    const { envelope } = await signRecords(alice.key, [ADDRESS], 1n)
    const [answer] = await raw(alice, [{ type: 'register', namespace: 'meadow', record: envelope, ttlSeconds: undefined, ...change }])
    expect(answer).toMatchObject({ type: 'register-answer', status, statusText: expect.stringMatching(/\w/) })
    expect(server?.totals()).toMatchObject({ registered: 0, rejected: 1 })
  })

  test('S7: a record of another peer, one that is badly signed and one without addresses are refused', async () => {
    await startServer()
    const [alice, bob] = [await createPeer(), await createPeer()]
    const { envelope } = await signRecords(bob.key, [ADDRESS], 1n)
    const empty = await signRecords(alice.key, [], 1n)
    const spoilt = envelope.with(envelope.length - 1, (envelope.at(-1) ?? 0) ^ 1)
    const answers = await raw(
      alice,
      [envelope, spoilt, empty.envelope].map((record) => ({ type: 'register', namespace: 'meadow', record, ttlSeconds: undefined })),
    )
    expect(answers).toMatchObject([{ status: STATUS.notAuthorized }, { status: STATUS.invalidRecord }, { status: STATUS.invalidRecord }])
  })

  test('S8: a body that cannot be read is answered, and the stream goes on', async () => {
    await startServer()
    const alice = await createPeer()
    const answers = await raw(alice, [
      Uint8Array.of(0x08, 0, 0x12, 2, 0x0a, 9),
      Uint8Array.of(0x08, 3, 0x2a, 2, 0x0a, 9),
      { type: 'discover', namespace: 'meadow', limit: undefined, cookie: undefined },
    ])
    expect(answers).toMatchObject([{ status: STATUS.invalidRecord }, { status: STATUS.invalidNamespace }, { status: STATUS.ok }])
  })

  test.each([
    ['a message of no known type', Uint8Array.of(0x08, 9)],
    ['an answer', encodeMessage({ type: 'register-answer', status: 0, statusText: undefined, ttlSeconds: 1 })],
    ['no protobuf', Uint8Array.of(0xff)],
  ])('S8: %s ends the stream', async (_what, bytes) => {
    await startServer()
    const alice = await createPeer()
    await expect(raw(alice, [bytes])).rejects.toMatchObject({ code: 'peer_unreachable' })
  })

  test('S9: a length above 64 KiB ends the stream before its bytes are there', async () => {
    await startServer()
    const alice = await createPeer()
    const stream = await alice.node.dialProtocol(at(), RENDEZVOUS_PROTOCOL)
    const closed = new Promise((resolve) => stream.addEventListener('close', resolve, { once: true }))
    const length = MAX_REQUEST_BYTES + 1
    stream.send(Uint8Array.of((length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14))
    await closed
    expect(stream.status).toBe('reset')
  })

  test('S10: answers stay below a megabyte, and the cookie brings the rest', async () => {
    const running = await startServer({ limits: { perNamespace: 500 } })
    const long = Array.from({ length: 80 }, (_, index) => multiaddr(`/dns4/${'x'.repeat(60)}.example/tcp/${4000 + index}`))
    for (let index = 0; index < 200; index++) {
      const key = await generateKeyPair('Ed25519')
      const { envelope } = await signRecords(key, long, 1n)
      expect(running.register({ peer: `peer-${index}`, namespace: 'meadow', ttlSeconds: 600, standard: envelope })).toBe(true)
    }
    const alice = await createPeer()
    const first = await alice.client.discover(at(), { namespace: 'meadow' })
    const second = await alice.client.discover(at(), { namespace: 'meadow', cookie: first.cookie })
    expect(first.found.length).toBeLessThan(200)
    expect(first.found.length + second.found.length).toBe(200)
  })

  test('S11: the policy decides who registers, for whom it counts and with which addresses', async () => {
    const bob = await createPeer([OTHER_ADDRESS])
    const charlie = await createPeer()
    const alice = await createPeer()
    await startServer({
      policy: {
        scopesOf: (peer) => (peer.equals(charlie.node.peerId) ? undefined : [{ name: 'token', maxRegistrations: 2 }]),
        refusalOf: (_peer, addresses) => (addresses.some((address) => address.equals(OTHER_ADDRESS)) ? 'not that one' : undefined),
      },
    })
    await expect(charlie.client.register(at(), 'a')).rejects.toMatchObject({ code: 'not_authorized', status: 200 })
    await expect(bob.client.register(at(), 'a')).rejects.toMatchObject({
      code: 'invalid_record',
      message: expect.stringContaining('not that one'),
    })
    await alice.client.register(at(), 'a')
    await alice.client.register(at(), 'b')
    await expect(alice.client.register(at(), 'c')).rejects.toMatchObject({ code: 'unavailable', status: 400 })
    // A renewal is no more registration than there was.
    await alice.client.register(at(), 'b')
  })

  test('S12: a registration ends at its time, is dropped with its peer, and the timer is one', async () => {
    const scheduled: { readonly run: () => void; readonly ms: number }[] = []
    const book = await startServer({
      schedule: (run, ms) => {
        scheduled.push({ run, ms })
        return () => undefined
      },
    })
    const [alice, bob] = [await createPeer(), await createPeer()]
    await alice.client.register(at(), 'meadow', { ttlSeconds: 600 })
    await bob.client.register(at(), 'meadow', { ttlSeconds: 300 })
    expect(scheduled.map(({ ms }) => ms)).toEqual([600_000, 300_000])
    now += 300_000
    scheduled.at(-1)?.run()
    expect([book.size(), book.totals().expired]).toEqual([1, 1])
    book.drop(alice.node.peerId.toString())
    expect([book.size(), book.totals().unregistered]).toEqual([0, 1])
  })
})

describe('a client', () => {
  test('C1: half-closes after its request, and is content when the point resets afterwards', async () => {
    const closed: boolean[] = []
    await startStrange((stream) => {
      const frames = frameStream(stream, { maxFrameBytes: MAX_REQUEST_BYTES })
      void (async () => {
        await frames.read()
        closed.push((await frames.read()) === undefined)
        await frames.write([encodeMessage({ type: 'register-answer', status: 0, statusText: undefined, ttlSeconds: 60 })])
        await stream.close()
      })()
    })
    const alice = await createPeer()
    expect(await alice.client.register(at(), 'meadow')).toEqual({ ttlSeconds: 60, form: 'standard' })
    expect(closed).toEqual([true])
  })

  test('C2: tries the legacy form once where the point resets without an answer, and says which was taken', async () => {
    const forms: string[] = []
    await startStrange((stream) => {
      const frames = frameStream(stream, { maxFrameBytes: MAX_REQUEST_BYTES })
      void (async () => {
        const message = decodeMessage((await frames.read()) ?? new Uint8Array())
        const opened = await openEitherRecord((message.type === 'register' && message.record) || new Uint8Array())
        const form = typeof opened === 'string' ? opened : opened.form
        forms.push(form)
        if (form !== 'legacy') return stream.abort(new Error('as Rust does'))
        await frames.write([encodeMessage({ type: 'register-answer', status: 0, statusText: undefined, ttlSeconds: 60 })])
        await stream.close()
      })()
    })
    const alice = await createPeer()
    expect(await alice.client.register(at(), 'meadow')).toEqual({ ttlSeconds: 60, form: 'legacy' })
    expect(await alice.client.register(at(), 'meadow', { form: 'legacy' })).toEqual({ ttlSeconds: 60, form: 'legacy' })
    expect(forms).toEqual(['standard', 'legacy', 'legacy'])
  })

  test('C2: a point that resets both is reported as unsupported or a bad record', async () => {
    let asked = 0
    await startStrange((stream) => {
      asked++
      stream.abort(new Error('no'))
    })
    const alice = await createPeer()
    await expect(alice.client.register(at(), 'meadow')).rejects.toMatchObject({
      name: 'RendezvousError',
      code: 'unsupported_or_bad_record',
    })
    expect(asked).toBe(2)
    await expect(alice.client.discover(at())).rejects.toMatchObject({ code: 'unsupported_or_bad_record' })
  })

  test('C3: a peer without the protocol is reported as such', async () => {
    const alice = await createPeer()
    await expect(alice.client.discover(at())).rejects.toMatchObject({ name: 'RendezvousError', code: 'unsupported' })
  })

  test('C4: fills in the namespace, does without cookie and time to live, and keeps the later of two records of a peer', async () => {
    const [alice, bob] = [await createPeer(), await createPeer()]
    const records = await Promise.all([2n, 3n, 1n].map(async (seq) => (await signRecords(bob.key, [ADDRESS], seq)).envelope))
    await answering({
      registrations: records.map((record) => ({ namespace: undefined, record, ttlSeconds: undefined })),
      cookie: undefined,
    })
    const { found, cookie, received } = await alice.client.discover(at(), { namespace: 'meadow' })
    expect(found.map(({ namespace, seq, ttlSeconds }) => [namespace, seq, ttlSeconds])).toEqual([['meadow', 3n, 7200]])
    expect([cookie, received]).toEqual([undefined, 3])
  })

  test('C5: believes no record that its peer has not signed, and none for another namespace', async () => {
    const [alice, bob] = [await createPeer(), await createPeer()]
    const { envelope } = await signRecords(bob.key, [ADDRESS], 1n)
    await answering({
      registrations: [
        { namespace: 'meadow', record: envelope.with(envelope.length - 1, 0), ttlSeconds: 1 },
        { namespace: 'forest', record: envelope, ttlSeconds: 1 },
        { namespace: 'meadow', record: undefined, ttlSeconds: 1 },
        { namespace: 'meadow', record: Uint8Array.of(1), ttlSeconds: 1 },
      ],
      cookie: undefined,
    })
    expect((await alice.client.discover(at(), { namespace: 'meadow' })).found).toEqual([])
  })

  test('C6: every call ends with its signal and at its deadline', async () => {
    await startStrange(() => undefined)
    const alice = await createPeer()
    const aborted = new AbortController()
    const call = alice.client.discover(at(), { signal: aborted.signal })
    aborted.abort()
    await expect(call).rejects.toMatchObject({ code: 'aborted' })
    await expect(alice.client.register(at(), 'meadow', { timeoutMs: 50 })).rejects.toMatchObject({ code: 'timeout' })
    await expect
      .poll(() => alice.node.getConnections().flatMap(({ streams }) => streams.filter(({ protocol }) => protocol === RENDEZVOUS_PROTOCOL)))
      .toEqual([])
  })

  test('C7: an answer to something else breaks the protocol', async () => {
    await answering({ registrations: [], cookie: undefined })
    const alice = await createPeer()
    await expect(alice.client.register(at(), 'meadow')).rejects.toMatchObject({ code: 'protocol_violation' })
  })
})

async function answering(answer: Pick<RendezvousMessage & { type: 'discover-answer' }, 'registrations' | 'cookie'>): Promise<void> {
  await startStrange((stream) => {
    const frames = frameStream(stream, { maxFrameBytes: MAX_REQUEST_BYTES })
    void (async () => {
      await frames.read()
      await frames.write([encodeMessage({ type: 'discover-answer', ...answer, status: 0, statusText: undefined })])
      await stream.close()
    })()
  })
}
