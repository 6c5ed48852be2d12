/**
 * Messages that nobody should send, given to every handler of a browser's node as the app has it, with a room joined: each is answered as its specification says, ignored, or ends its
 * own stream, and nothing of it is kept. 200 for each protocol here; `npm test` sends 100 000, and FUZZ_INPUTS says how many. Not here: the bridge's (apps/bridge/src/node/fuzz.test.ts).
 */
import 'fake-indexeddb/auto'
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import type { Connection, Libp2p } from '@libp2p/interface'
import type { Registrar } from '@libp2p/interface-internal'
import { noise } from '@libp2p/noise'
import { webRTC } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { fuzz, type FuzzTarget } from '@footbridge/protocols/fuzz/test-fuzz'
import * as messages from '@footbridge/protocols/fuzz/test-messages'
import { chooseSeed } from '@footbridge/protocols/fuzz/test-mutations'
import { decodeResponse, encodeRequest, STATUS_ERROR } from '@footbridge/protocols/uc-dm/direct-message'
import { UC_DIRECT_MESSAGE_PROTOCOL } from '@footbridge/protocols/uc-dm/protocol'
import { UC_FILE_PROTOCOL } from '@footbridge/protocols/uc-file/file-exchange'
import { BLOB_PROTOCOL, MESSAGE_PROTOCOL } from '@footbridge/shared/protocol-ids'
import { decodeBlobFrame, encodeBlobFrame } from '@footbridge/shared/wire/blob-frame'
import { decodeMessageFrame } from '@footbridge/shared/wire/message-frame'
import { createLibp2p } from 'libp2p'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Footbridge } from '../api.ts'
import { openFootbridge } from '../open.ts'
import type { FootbridgeNode } from './create-node.ts'

const made = vi.hoisted((): { node?: FootbridgeNode } => ({}))
// Before @libp2p/webrtc is loaded, which in Node takes a native module that makes a peer connection for each stream.
await vi.hoisted(async () => {
  const { registerHooks } = await import('node:module')
  const fake = new URL('test-peer-connection.ts', import.meta.url).href
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier.startsWith('node-datachannel') ? { url: fake, format: 'module-typescript', shortCircuit: true } : next(specifier, context),
  })
})
// The app shows its node to nobody.
vi.mock(import('./create-node.ts'), async (original) => {
  const actual = await original()
  return { ...actual, createNode: async (parts) => (made.node = await actual.createNode(parts)) }
})

const INPUTS = Number(process.env['FUZZ_INPUTS'] ?? 200)
const ROOM = 'universal-connectivity'
const STOP_PROTOCOL = '/libp2p/circuit/relay/0.2.0/stop'
const seed = chooseSeed()

/** Gossipsub leaves its own side of a peer's last stream open, until that peer opens another or goes. */
const untilTurned = (): Promise<unknown> => new Promise((resolve) => setImmediate(resolve))
/** Whoever accepts a circuit then waits for its handshake, which does not come. */
const untilAnswered: FuzzTarget['done'] = (stream, handled) => Promise.race([stream.heard, Promise.all([stream.closed, handled])])
const untilEnded: FuzzTarget['done'] = (stream) => stream.closed

interface ClientTarget {
  readonly protocol: string
  readonly by: 'stranger' | 'relay'
  readonly make: messages.MakeInput
  readonly done?: FuzzTarget['done']
}

const TARGETS: readonly ClientTarget[] = [
  { protocol: '/ipfs/id/1.0.0', by: 'stranger', make: messages.spoiled(messages.noise, messages.framesOf) },
  { protocol: '/ipfs/ping/1.0.0', by: 'stranger', make: messages.spoiled(messages.noise, sameAsSent) },
  { protocol: STOP_PROTOCOL, by: 'stranger', make: messages.spoiled(messages.stop, denied) },
  // What grows by a hundred bytes for each of these is fake-indexeddb, which keeps its transactions.
  { protocol: MESSAGE_PROTOCOL, by: 'stranger', make: messages.spoiled(textOrFile, answersOnly), done: untilEnded },
  { protocol: BLOB_PROTOCOL, by: 'stranger', make: messages.spoiled(want, absentOnly), done: untilEnded },
  { protocol: UC_DIRECT_MESSAGE_PROTOCOL, by: 'stranger', make: directMessage, done: untilEnded },
  {
    protocol: UC_FILE_PROTOCOL,
    by: 'stranger',
    make: messages.spoiled((random) => random.bytes(1 + random.below(300)), nothing),
    done: untilEnded,
  },
  ...['/meshsub/1.0.0', '/meshsub/1.1.0', '/meshsub/1.2.0'].map((protocol): ClientTarget => ({
    protocol,
    by: 'stranger',
    make: messages.spoiled(messages.gossip, nothing),
    done: untilTurned,
  })),
  { protocol: '/webrtc-signaling/0.0.1', by: 'stranger', make: messages.spoiled(signalling, messages.framesOf), done: untilAnswered },
  { protocol: STOP_PROTOCOL, by: 'relay', make: messages.spoiled(messages.stop, messages.framesOf), done: untilAnswered },
]

let app: Footbridge
let mallory: Libp2p
let node: FootbridgeNode
let connection: Connection

beforeAll(async () => {
  mallory = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
    transports: [webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: { identify: identify(), relay: circuitRelayServer() },
  })
  app = await openFootbridge({
    databaseName: 'fuzz',
    bridgeUrl: 'http://bridge.invalid',
    tabs: { locks: undefined, channel: undefined },
    fetch: () => Promise.reject(new TypeError('no network')),
    transports: [webRTC()],
  })
  // Fails, and loads the network half.
  await app.login({ guest: true }).catch(() => undefined)
  await app.rooms.join(ROOM)
  node = await vi.waitFor(() => {
    if (made.node?.libp2p.getProtocols().includes(UC_FILE_PROTOCOL) !== true) throw new Error('the room is not live yet')
    return made.node
  })
  connection = await node.libp2p.dial(mallory.getMultiaddrs())
}, 30_000)

afterAll(async () => {
  await app.close()
  await mallory.stop()
})

describe('a browser that is sent bad messages', { timeout: 3_600_000 }, () => {
  it.each(TARGETS)('on $protocol, sent by a $by, answers as it should and keeps nothing of them', async ({ protocol, by, make, done }) => {
    if (by === 'relay') await node.reserve(mallory.peerId, AbortSignal.timeout(10_000))
    // libp2p's class has them; its interface does not show them.
    const { registrar } = (node.libp2p as unknown as { components: { registrar: Registrar } }).components
    const id = mallory.peerId.toMultihash().bytes
    const { handler } = registrar.getHandler(protocol)
    await fuzz({ protocol, handler, connection, make: (random) => make(random, id), ...(done && { done }) }, { inputs: INPUTS, seed })
    expect(connection.status).toBe('open')
  })

  it('has every protocol of the node in the list', () => {
    expect([...node.libp2p.getProtocols()].sort()).toEqual([...new Set(TARGETS.map(({ protocol }) => protocol))].sort())
  })
})

/** An offer, candidates, or an answer that nobody has asked for. */
function signalling(random: Parameters<messages.MakeMessage>[0]): Uint8Array {
  const offer = [messages.number(1, 0), messages.bytes(2, 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n')]
  const candidate = JSON.stringify(
    random.pick([null, '', { candidate: 'candidate:1 1 UDP 1 192.0.2.1 9 typ host', sdpMid: '0' }, { candidate: 7 }, [], 5]),
  )
  const more = messages.framed(Buffer.concat([messages.number(1, random.below(4)), messages.bytes(2, candidate)]))
  return random.below(3) === 0 ? more : Buffer.concat([...offer, ...(random.below(2) === 0 ? [more] : [])])
}

/** Of one id, so that it is kept once. */
function textOrFile(random: Parameters<messages.MakeMessage>[0]): Uint8Array {
  const frame = random.pick<object>([
    { type: 'text', id: 'once', at: 1, text: 'hello' },
    { type: 'file', id: 'file', at: 1, cid: 'bafkqaaa', name: 'ship.txt', size: 6, media: '' },
    { type: 'profile', name: 'Mallory' },
    { type: 'ack', id: 'never sent' },
    { type: 'weather' },
    { type: 'text', id: 'x'.repeat(random.below(200)), at: random.pick([-1, 0.5, 1e300]), text: '' },
  ])
  return Buffer.from(JSON.stringify(frame))
}

function answersOnly(answer: Uint8Array): void {
  for (const frame of messages.framesOf(answer).map(decodeMessageFrame))
    if (frame?.type !== 'ack' && frame?.type !== 'refused') throw new Error(`answered ${String(frame?.type)}`)
}

function want(random: Parameters<messages.MakeMessage>[0]): Uint8Array {
  return Buffer.concat(encodeBlobFrame({ kind: 'want', request: random.below(1_000), cid: random.bytes(1 + random.below(128)) }))
}

/** There is nothing here that could be given. */
function absentOnly(answer: Uint8Array): void {
  for (const { kind } of messages.framesOf(answer).map(decodeBlobFrame)) if (kind !== 'absent') throw new Error(`answered ${kind}`)
}

/** Right in form and not to be taken: answered 500, whatever it is. */
function directMessage(...[random, id]: Parameters<messages.MakeInput>): ReturnType<messages.MakeInput> {
  const [content, type] = random.pick([
    ['hello', 'text/html'],
    ['', 'text/plain'],
    ['x'.repeat(40_000), 'text/plain'],
  ] as const)
  const request = encodeRequest({ metadata: { clientVersion: '0.0.1', timestamp: 1 }, content, type })
  if (random.below(2) === 0) return { bytes: messages.framed(request), end: 'answered', check: refusedOnce }
  return messages.spoiled(
    () => request,
    (answer) => messages.framesOf(answer).forEach(decodeResponse),
  )(random, id)
}

function refusedOnce(answer: Uint8Array): void {
  const [only, ...more] = messages.framesOf(answer).map(decodeResponse)
  if (only?.status !== STATUS_ERROR || more.length > 0) throw new Error(`answered ${String(only?.status)} where ${STATUS_ERROR} is due`)
}

function sameAsSent(answer: Uint8Array, sent: Uint8Array): void {
  if (Buffer.compare(answer, sent) !== 0) throw new Error('a ping gives back what came, and this is something else')
}

/** STATUS, PERMISSION_DENIED. */
function denied(answer: Uint8Array): void {
  if (Buffer.from(answer).toString('hex') !== '05080120ca01') throw new Error('a circuit from nowhere is denied')
}

function nothing(answer: Uint8Array): void {
  if (answer.length > 0) throw new Error(`${answer.length} bytes answer what has no answer`)
}
