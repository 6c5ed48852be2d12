/** Answers as rust-libp2p gives them, and worse, from a peer whose identify is made by hand, over real libp2p on the loopback. */
import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { identify as stock } from '@libp2p/identify'
import type { Ed25519PrivateKey, IdentifyResult, Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { utf8Encode as utf8 } from '@footbridge/shared/text-codec'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { signRecords } from '../announce/signed-records.ts'
import { bytesField, concat } from '../uc-wire/fields.ts'
import { identify } from './identify.ts'

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

const PROTOCOL = '/ipfs/id/1.0.0'
const FIELDS = { publicKey: 1, listenAddrs: 2, protocols: 3, observedAddr: 4, agentVersion: 6, signedPeerRecord: 8 } as const
const ADDRESS = multiaddr('/ip4/192.0.2.1/tcp/4001')
type Fields = Partial<Record<keyof typeof FIELDS, Uint8Array>>

let key: Ed25519PrivateKey
let peer: Libp2p
let nodes: Libp2p[]

beforeEach(async () => {
  key = await generateKeyPair('Ed25519')
  peer = await createNode({ privateKey: key, addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] } })
  nodes = [peer]
})
afterEach(async () => {
  for (const node of nodes) await node.stop()
})

function createNode<Services extends Record<string, unknown>>(
  options: Parameters<typeof createLibp2p<Services>>[0],
): Promise<Libp2p<Services>> {
  return createLibp2p<Services>({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    ...options,
  })
}

/** What a node makes of an answer of these fields, beside the key and one protocol. */
async function ask(service: typeof identify, fields: Fields): Promise<IdentifyResult> {
  const answer: Fields = {
    publicKey: publicKeyToProtobuf(key.publicKey),
    protocols: utf8('/harbour/1'),
    agentVersion: utf8('rust'),
    ...fields,
  }
  await peer.unhandle(PROTOCOL)
  await peer.handle(PROTOCOL, async (stream) => {
    await lpStream(stream).write(
      concat((Object.keys(answer) as (keyof Fields)[]).map((name) => bytesField(FIELDS[name], answer[name] ?? new Uint8Array()))),
    )
    await stream.close()
  })
  const node = await createNode({ services: { identify: service({ runOnConnectionOpen: false }) } })
  nodes.push(node)
  return node.services.identify.identify(await node.dial(peer.getMultiaddrs()))
}

describe('identify', () => {
  const odd = [
    [
      'of a peer and nothing before it, as Rust observes over a circuit',
      (): Uint8Array => multiaddr(`/p2p/${peer.peerId.toString()}`).bytes,
    ],
    ['that is no address', (): Uint8Array => Uint8Array.from([0xff, 0xff, 0xff])],
    ['of nothing', (): Uint8Array => new Uint8Array()],
  ] as const
  test.each(odd)('takes an answer whose observed address is one %s', async (_what, observedAddr) => {
    const { protocols, agentVersion, observedAddr: observed } = await ask(identify, { observedAddr: observedAddr() })
    expect([protocols, agentVersion, observed]).toEqual([['/harbour/1'], 'rust', undefined])
  })

  test('tells an observed address that begins with an IP', async () => {
    expect((await ask(identify, { observedAddr: ADDRESS.bytes })).observedAddr?.toString()).toBe(ADDRESS.toString())
  })

  test('leaves out a signed record in the older envelope, and takes one in the newer', async () => {
    const { envelope, legacy } = await signRecords(key, [ADDRESS], 1n)
    const [older, newer] = [await ask(identify, { signedPeerRecord: legacy }), await ask(identify, { signedPeerRecord: envelope })]
    expect([older.protocols, older.signedPeerRecord]).toEqual([['/harbour/1'], undefined])
    expect(newer.signedPeerRecord?.addresses.map(String)).toEqual([ADDRESS.toString()])
  })

  test('refuses a record of another peer, and another peer’s key', async () => {
    const stranger = await generateKeyPair('Ed25519')
    await expect(ask(identify, { signedPeerRecord: (await signRecords(stranger, [ADDRESS], 1n)).envelope })).rejects.toThrow(/PeerId/)
    await expect(ask(identify, { publicKey: publicKeyToProtobuf(stranger.publicKey) })).rejects.toThrow(/peer/)
  })

  test('does not wait for the other side to acknowledge the end of the stream', async () => {
    const node = await createNode({ services: { identify: identify({ runOnConnectionOpen: false }) } })
    nodes.push(node)
    await peer.handle(PROTOCOL, async (stream) => {
      await lpStream(stream).write(concat([bytesField(1, publicKeyToProtobuf(key.publicKey)), bytesField(3, utf8('/harbour/1'))]))
      await stream.close()
    })
    const connection = await node.dial(peer.getMultiaddrs())
    const newStream = connection.newStream.bind(connection)
    const aborted = Promise.withResolvers<void>()
    connection.newStream = async (...args) => {
      const stream = await newStream(...args)
      stream.close = ({ signal } = {}) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('late'))))
      stream.addEventListener('close', () => aborted.resolve())
      return stream
    }
    const { protocols } = await node.services.identify.identify(connection, { signal: AbortSignal.timeout(20_000) })
    expect(protocols).toEqual(['/harbour/1'])
    await aborted.promise
  })

  test('the stock service throws away what this one takes, which is why this one is here', async () => {
    const { legacy } = await signRecords(key, [ADDRESS], 1n)
    await expect(ask(stock, { observedAddr: multiaddr(`/p2p/${peer.peerId.toString()}`).bytes })).rejects.toThrow(/was not an IPv4/)
    await expect(ask(stock, { signedPeerRecord: legacy })).rejects.toThrow()
    expect((await ask(stock, {})).protocols).toEqual(['/harbour/1'])
  })
})
