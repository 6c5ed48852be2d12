/** A bridge as rendezvous point, asked over the network by peers that use libp2p's own stack. What it keeps and answers: packages/protocols/src/rendezvous. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey, Libp2p } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { signLegacyRecord } from '@footbridge/protocols/rendezvous/records'
import { createRendezvousClient, type RendezvousClient } from '@footbridge/protocols/rendezvous/rendezvous-client'
import { encodeMessage, RENDEZVOUS_PROTOCOL } from '@footbridge/protocols/rendezvous/wire'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { lpStream } from '@libp2p/utils'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createBench, type Bench, type TestBridge } from './test-bridge.ts'

vi.setConfig({ testTimeout: 60_000 })

const ADDRESS = multiaddr('/ip4/192.0.2.1/tcp/4001')
let bench: Bench
let bridge: TestBridge
let point: Multiaddr

beforeEach(async () => {
  bench = createBench()
  bridge = await bench.startBridge()
  point = multiaddr(bridge.addresses[0])
})
afterEach(() => bench.end())

interface Native {
  readonly key: Ed25519PrivateKey
  readonly node: Libp2p
  readonly client: RendezvousClient
}

async function startNative(userAgent: string): Promise<Native> {
  const key = await generateKeyPair('Ed25519')
  const node = await bench.startNode({ privateKey: key, transports: [tcp()], nodeInfo: { userAgent } })
  await node.dial(point)
  return { key, node, client: createRendezvousClient({ node, privateKey: key, addresses: () => [ADDRESS] }) }
}

async function found({ client }: Pick<Native, 'client'>, namespace = 'meadow'): Promise<string[]> {
  return (await client.discover(point, { namespace })).found.map(({ peer }) => peer.toString())
}

describe('a bridge as rendezvous point', () => {
  test('brings native peers together without a token', async () => {
    const [alice, bob] = [await startNative('js-libp2p/1'), await startNative('js-libp2p/2')]
    await alice.client.register(point, 'meadow')
    expect(await found(bob)).toEqual([alice.node.peerId.toString()])
    expect(await found(bob, 'forest')).toEqual([])
  })

  test('takes a virtual peer with addresses through itself alone, and forgets it with its session', async () => {
    const key = await generateKeyPair('Ed25519')
    const { node } = await bench.startBrowser(bridge, 'alice', undefined, key)
    const native = await startNative('js-libp2p/3')
    const [first] = bridge.addresses
    const register = (addresses: readonly Multiaddr[]): Promise<unknown> => {
      const [connection] = node.getConnections()
      if (connection === undefined) throw new Error('there is no link to the bridge')
      return createRendezvousClient({ node, privateKey: key, addresses: () => addresses }).register(connection.remotePeer, 'meadow')
    }
    await expect(register([ADDRESS])).rejects.toMatchObject({
      code: 'invalid_record',
      message: expect.stringContaining('through this bridge'),
    })
    await register([multiaddr(`${first}/p2p-circuit`)])
    expect(await found(native)).toEqual([node.peerId.toString()])
    bridge.registry.end(node.peerId.toString(), 'logout')
    expect(await found(native)).toEqual([])
  })

  test('gives a client the form of record that it can read, because one that it cannot would cost it the answer', async () => {
    const [modern, rust, go, other, unknown] = [
      await startNative('footbridge/0.1.0'),
      await startNative('rust-libp2p/0.57.0'),
      await startNative('github.com/libp2p/go-libp2p@0.51.0'),
      await startNative('own'),
      await startNative('nobody knows'),
    ]
    await modern.client.register(point, 'meadow')
    const record = await signLegacyRecord(other.key, [ADDRESS], 1n)
    const stream = await other.node.dialProtocol(point, RENDEZVOUS_PROTOCOL)
    const frames = lpStream(stream)
    await frames.write(encodeMessage({ type: 'register', namespace: 'meadow', record, ttlSeconds: undefined }))
    await frames.read()
    await stream.close()
    const [standard, legacy] = [modern.node.peerId.toString(), other.node.peerId.toString()]
    expect(await found(rust)).toEqual([legacy])
    expect(await found(go)).toEqual([standard])
    expect(await found(unknown)).toEqual([legacy])
    expect(await found(modern)).toEqual([standard, legacy])
  })
})
