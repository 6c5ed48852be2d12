/** Presence over real libp2p streams on loopback, with the registry moved by hand. */
import type { Libp2p, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { PRESENCE_PROTOCOL } from '@footbridge/shared/protocol-ids'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'
import { decodePresenceFrame, type PresenceRow } from '@footbridge/shared/wire/presence-frame'
import { createLibp2p } from 'libp2p'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createRegistry, type Registry } from '../peers/registry.ts'
import { prefixed } from '../node/json-stream.ts'
import type { Grant } from '../peers/session.ts'
import { createPresence } from './presence.ts'

const cleanups: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const grant = (peer: string): Grant => ({
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
})

async function startNode(listen: string[]): Promise<Libp2p> {
  const node = await createLibp2p({
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

async function startPresence(): Promise<{ node: Libp2p; registry: Registry; appear: (peer: string) => void }> {
  const node = await startNode(['/ip4/127.0.0.1/tcp/0'])
  const registry = createRegistry({ clock: Date.now, connectionsOf: () => 1, maxSessions: 20_000 })
  const presence = createPresence({ node, registry, clock: Date.now })
  await presence.start()
  cleanups.push(() => presence.stop())
  const appear = (peer: string): void => {
    registry.admit(grant(peer))
    registry.reserved(peer)
  }
  return { node, registry, appear }
}

/** A browser: says hello and keeps the list as the frames tell it. */
async function subscribe(
  bridge: Libp2p,
  client: Libp2p,
): Promise<{
  list: Map<string, PresenceRow>
  stream: Stream
  /** Every frame that came, as text. */
  said: string[]
  resets: () => number
  hello: (name: string) => void
}> {
  const connection = client.getConnections(bridge.peerId)[0] ?? (await client.dial(bridge.getMultiaddrs()))
  const stream = await connection.newStream(PRESENCE_PROTOCOL)
  const frames = lpStream(stream)
  const list = new Map<string, PresenceRow>()
  const said: string[] = []
  let resets = 0
  const hello = (name: string): void => void frames.write(encodeJsonFrame({ type: 'hello', name, device: 'phone' })).catch(() => {})
  hello('Alice')
  const read = async (): Promise<void> => {
    for (;;) {
      const bytes = (await frames.read()).subarray()
      said.push(new TextDecoder().decode(bytes))
      const frame = decodePresenceFrame(bytes)
      if (frame?.type === 'peers') {
        if (frame.reset === true) {
          list.clear()
          resets++
        }
        for (const row of frame.rows) list.set(row.peer, row)
      }
      if (frame?.type === 'gone') for (const peer of frame.peers) list.delete(peer)
    }
  }
  read().catch(() => {})
  return { list, stream, said, resets: () => resets, hello }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const eventually = <Value>(check: () => Value): Promise<Value> => vi.waitFor(check, { timeout: 8_000, interval: 5 })

describe('presence', () => {
  it('gives the whole list, then who comes and who goes', async () => {
    const { node, registry, appear } = await startPresence()
    const alice = await startNode([])
    appear(alice.peerId.toString())
    appear('bob')
    const { list, resets } = await subscribe(node, alice)
    await eventually(() => expect([...list.keys()]).toEqual(['bob']))
    appear('charlie')
    await eventually(() => expect([...list.keys()].sort()).toEqual(['bob', 'charlie']))
    registry.end('bob', 'logout')
    await eventually(() => expect([...list.keys()]).toEqual(['charlie']))
    expect(resets()).toBe(1)
  })

  it('leaves out who hides, names them to nobody, and tells at once when they hide or show themselves', async () => {
    const { node, registry, appear } = await startPresence()
    const alice = await startNode([])
    appear(alice.peerId.toString())
    registry.admit({ ...grant('bob'), visibility: 'nobody' })
    const { list, said } = await subscribe(node, alice)
    registry.reserved('bob')
    appear('charlie')
    await eventually(() => expect([...list.keys()]).toEqual(['charlie']))
    expect(said.join()).not.toContain('bob')
    registry.visibility('bob', 'network')
    await eventually(() => expect([...list.keys()]).toEqual(['charlie', 'bob']))
    registry.visibility('charlie', 'nobody')
    await eventually(() => expect([...list.keys()]).toEqual(['bob']))
  })

  it('tells an empty list as one', async () => {
    const { node, appear } = await startPresence()
    const alice = await startNode([])
    appear(alice.peerId.toString())
    const { resets } = await subscribe(node, alice)
    await eventually(() => expect(resets()).toBe(1))
  })

  it('shows others what a device says of itself, and never a peer to itself', async () => {
    const { node, appear } = await startPresence()
    const alice = await startNode([])
    const bob = await startNode([])
    for (const each of [alice, bob]) appear(each.peerId.toString())
    const [seenByAlice, seenByBob] = [await subscribe(node, alice), await subscribe(node, bob)]
    await eventually(() => expect(seenByBob.list.get(alice.peerId.toString())).toMatchObject({ name: 'Alice', device: 'phone' }))
    seenByAlice.hello('Alicia')
    await eventually(() => expect(seenByBob.list.get(alice.peerId.toString())).toMatchObject({ name: 'Alicia' }))
    expect(seenByAlice.list.has(alice.peerId.toString())).toBe(false)
  })

  it('gives a list of thousands in frames that fit', async () => {
    const { node, appear } = await startPresence()
    const alice = await startNode([])
    appear(alice.peerId.toString())
    for (let index = 0; index < 5_000; index++) appear(`peer-${index}`)
    const { list } = await subscribe(node, alice)
    await eventually(() => expect(list.size).toBe(5_000))
  })

  it('gives a reader that was away the latest state, however much happened', async () => {
    const { node, registry, appear } = await startPresence()
    const alice = await startNode([])
    appear(alice.peerId.toString())
    const { list, stream, resets } = await subscribe(node, alice)
    await eventually(() => expect(resets()).toBe(1))
    stream.pause()
    for (let index = 0; index < 15_000; index++) appear(`peer-${index}`)
    // The changes are sent in one batch after 50 ms; then the reader is full and the rest must wait.
    await eventually(() => expect(node.getConnections()[0]?.streams.some(({ writeBufferLength }) => writeBufferLength > 0)).toBe(true))
    for (let index = 0; index < 15_000; index++) if (index !== 7) registry.end(`peer-${index}`, 'logout')
    stream.resume()
    await eventually(() => expect([...list.keys()]).toEqual(['peer-7']))
  })

  it('resets the stream of whoever has no session, and of whoever loses it', async () => {
    const { node, registry, appear } = await startPresence()
    const alice = await startNode([])
    const stranger = await subscribe(node, alice)
    await eventually(() => expect(stranger.stream.status).toBe('reset'))
    appear(alice.peerId.toString())
    const { stream, resets } = await subscribe(node, alice)
    await eventually(() => expect(resets()).toBe(1))
    registry.end(alice.peerId.toString(), 'revoked')
    await eventually(() => expect(stream.status).toBe('reset'))
  })

  it('understands a hello in pieces and several in one, and takes back the stream of a reader that ended its side', async () => {
    const { node, registry, appear } = await startPresence()
    const alice = await startNode([])
    const peer = alice.peerId.toString()
    appear(peer)
    const { stream, resets } = await subscribe(node, alice)
    await eventually(() => expect(resets()).toBe(1))
    const hellos = ['Alicia', 'Alina'].map((name) => prefixed(encodeJsonFrame({ type: 'hello', name, device: 'phone' })))
    const bytes = Buffer.concat(hellos)
    for (const part of [bytes.subarray(0, 1), bytes.subarray(1, 9), bytes.subarray(9)]) {
      stream.send(part)
      await nextTurn()
    }
    await eventually(() => expect(registry.get(peer)).toMatchObject({ name: 'Alina' }))
    // A length with a byte more than it needs is a length all the same.
    const [length = 0, ...hello] = prefixed(encodeJsonFrame({ type: 'hello', name: 'Alva', device: 'phone' }))
    stream.send(Uint8Array.of(length | 0x80, 0, ...hello))
    await eventually(() => expect(registry.get(peer)).toMatchObject({ name: 'Alva' }))
    await stream.close()
    await eventually(() => expect(node.getConnections()[0]?.streams).toEqual([]))
  })

  it('resets a stream that breaks the protocol or says hello like a machine', async () => {
    const { node, appear } = await startPresence()
    const alice = await startNode([])
    appear(alice.peerId.toString())
    const { stream, hello } = await subscribe(node, alice)
    for (let count = 0; count < 80; count++) hello(`Alice ${count}`)
    await eventually(() => expect(stream.status).toBe('reset'))
    const second = await subscribe(node, alice)
    second.stream.send(Uint8Array.of(3, 1, 2, 3))
    await eventually(() => expect(second.stream.status).toBe('reset'))
  })
})
