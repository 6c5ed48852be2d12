import { generateKeyPair } from '@libp2p/crypto/keys'
import { TypedEventEmitter, type Connection, type Libp2pEvents, type PeerId } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createOutboundCap } from './outbound-cap.ts'

const cleanups: (() => void)[] = []
afterEach(() => cleanups.splice(0).forEach((cleanup) => cleanup()))

async function setUp(maxIdle: number) {
  const events = new TypedEventEmitter<Libp2pEvents>()
  const closed: string[] = []
  const tagged = new Set<string>()
  const cap = createOutboundCap(
    Object.assign(events, {
      peerStore: { get: async (peer: PeerId) => ({ tags: new Map(tagged.has(peer.toString()) ? [['kad-peer', {}]] : []) }) },
    }) as never,
    { maxIdle },
  )
  cap.start()
  cleanups.push(() => cap.stop())
  const open = async (name: string, { direction = 'outbound', protocols = ['/ipfs/id/1.0.0'], isTagged = false } = {}): Promise<void> => {
    const remotePeer = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
    if (isTagged) tagged.add(remotePeer.toString())
    const streams = protocols.map((protocol) => ({ protocol }))
    const connection = { direction, remotePeer, streams, close: async () => void closed.push(name) } as unknown as Connection
    events.safeDispatchEvent('connection:open', { detail: connection })
  }
  return { open, closed }
}

describe('connections that the bridge has dialled', () => {
  it('are closed beyond so many, oldest first', async () => {
    const { open, closed } = await setUp(2)
    for (const name of ['alice', 'bob', 'charlie', 'dave']) await open(name)
    await vi.waitFor(() => expect(closed).toEqual(['alice', 'bob']))
  })

  it('stay while something runs over them or somebody wants the peer, however many they are', async () => {
    const { open, closed } = await setUp(1)
    await open('busy', { protocols: ['/meshsub/1.1.0'] })
    await open('wanted', { isTagged: true })
    await open('idle')
    await open('last', { protocols: ['/ipfs/kad/1.0.0'] })
    await vi.waitFor(() => expect(closed).toEqual(['idle']))
  })

  it('do not cost a browser its own: what came in is never closed', async () => {
    const { open, closed } = await setUp(1)
    for (const name of ['browser', 'another']) await open(name, { direction: 'inbound' })
    for (const name of ['alice', 'bob']) await open(name)
    await vi.waitFor(() => expect(closed).toEqual(['alice']))
  })
})
