/** The listener without HTTP and without libp2p's handshake: who comes in, how its requests are answered, and how tunnels end. */
import type { Listener, MultiaddrConnection, Upgrader } from '@libp2p/interface'
import { decodeTunnelFrames, encodeTunnelFrames, type TunnelFrame } from '@footbridge/shared/wire/tunnel-frame'
import { multiaddr } from '@multiformats/multiaddr'
import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { WebSocketCloseError } from '../websocket/close-error.ts'
import type { TunnelRequests } from './tunnel.ts'
import { createTunnelListener, DEFAULT_TUNNEL_LIMITS, type TunnelListener, type TunnelListenerLimits } from './tunnel-listener.ts'

const ALICE = '12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5'
const BOB = '12D3KooWJRSrypvnpHgc6ZAgyCni4KcSmbV7uGRaMw5LgMKT18fq'

const stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

interface UnderTest {
  readonly tunnels: TunnelListener
  readonly listener: Listener
  /** What libp2p was given, in order; its handshake never ends. */
  readonly connections: MultiaddrConnection[]
  readonly open: (peer?: string, address?: string) => TunnelRequests
}

async function listen(limits: Partial<TunnelListenerLimits> = {}, now = Date.now): Promise<UnderTest> {
  const connections: MultiaddrConnection[] = []
  const upgrader = {
    upgradeInbound(connection: MultiaddrConnection, { signal }: { signal: AbortSignal }) {
      connections.push(connection)
      return new Promise<void>((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('too late'))))
    },
  } as unknown as Upgrader
  const tunnels = createTunnelListener({ randomBytes, limits: { ...DEFAULT_TUNNEL_LIMITS, ...limits }, now })
  const log = Object.assign(() => {}, { error() {}, trace() {}, newScope: () => log })
  const logger = { forComponent: () => log } as never
  const listener = tunnels.transport({ logger }).createListener({ upgrader })
  await listener.listen(multiaddr('/ip4/127.0.0.1/tcp/0/http'))
  stops.push(() => listener.close())
  return {
    tunnels,
    listener,
    connections,
    open(peer = ALICE, address = '192.0.2.1') {
      const id = tunnels.open({ peer, address, port: 4711 })
      const tunnel = id === undefined ? undefined : tunnels.find(id, peer)
      if (tunnel === undefined) throw new Error('no room')
      return tunnel
    },
  }
}

const flow = (received = 0, limit = 1_000_000): TunnelFrame => ({ type: 'flow', received, limit })
const body = (...frames: TunnelFrame[]): Uint8Array => encodeTunnelFrames(frames)
const text = (frames: readonly TunnelFrame[]): string =>
  frames.map((frame) => (frame.type === 'data' ? Buffer.from(frame.bytes.subarray()).toString() : '')).join('')
const hello = (offset = 0): TunnelFrame => ({ type: 'data', offset, bytes: Buffer.from('hello') })

describe('the tunnel listener', () => {
  test('T3: tells libp2p which PeerID the other side must prove, and from where it comes', async () => {
    const { open, connections } = await listen()
    open(ALICE, '2001:db8::1')
    expect(connections[0]?.remoteAddr.toString()).toBe(`/ip6/2001:db8::1/tcp/4711/http/p2p/${ALICE}`)
  })

  test('T2: finds a tunnel for its own peer alone', async () => {
    const { tunnels } = await listen()
    const id = tunnels.open({ peer: ALICE, address: '192.0.2.1', port: 1 }) ?? ''
    expect(tunnels.find(id, ALICE)).toBeDefined()
    expect(tunnels.find(id, BOB)).toBeUndefined()
  })

  test('T4: bytes that come up are read once, and the answer says so', async () => {
    const { open, connections } = await listen()
    const tunnel = open()
    const read: string[] = []
    connections[0]?.addEventListener('message', ({ data }) => read.push(Buffer.from(data.subarray()).toString()))
    for (let time = 0; time < 2; time++) {
      const [answer] = decodeTunnelFrames(tunnel.up(body(flow(), hello())))
      expect(answer).toMatchObject({ type: 'flow', received: 5 })
    }
    expect(read).toEqual(['hello'])
  })

  test('T5: a stream begins with a sign of life, then carries what is written, and gives one again when nothing is', async () => {
    const { open, connections } = await listen({ heartbeatMs: 20 })
    const reader = open().down({ received: 0, limit: 100 }).getReader()
    expect(decodeTunnelFrames((await reader.read()).value ?? new Uint8Array())).toHaveLength(1)
    connections[0]?.send(Buffer.from('hello'))
    expect(text(decodeTunnelFrames((await reader.read()).value ?? new Uint8Array()))).toBe('hello')
    expect(decodeTunnelFrames((await reader.read()).value ?? new Uint8Array())).toEqual([expect.objectContaining({ type: 'flow' })])
  })

  test('T6, T7: a poll waits for bytes, gives them again to whoever asks again, and a newer one ends it', async () => {
    const { open, connections } = await listen()
    const tunnel = open()
    const { signal } = new AbortController()
    const first = tunnel.poll(body(flow(), { type: 'wait', ms: 5_000 }), signal)
    const second = tunnel.poll(body(flow(), { type: 'wait', ms: 5_000 }), signal)
    expect(text(decodeTunnelFrames(await first))).toBe('')
    connections[0]?.send(Buffer.from('hello'))
    expect(text(decodeTunnelFrames(await second))).toBe('hello')
    expect(text(decodeTunnelFrames(await tunnel.poll(body(flow()), signal)))).toBe('hello')
    expect(text(decodeTunnelFrames(await tunnel.poll(body(flow(5), { type: 'wait', ms: 1 }), signal)))).toBe('')
  })

  test('T7: a newer stream ends the older', async () => {
    const { open } = await listen()
    const tunnel = open()
    const older = tunnel.down({ received: 0, limit: 100 }).getReader()
    await older.read()
    const rest = older.read().then(() => older.read())
    tunnel.down({ received: 0, limit: 100 })
    expect((await rest).done).toBe(true)
  })

  test('P3: a paused connection takes one window and no more, and the rest once it is resumed', async () => {
    const { open, connections } = await listen()
    const tunnel = open()
    connections[0]?.pause()
    const piece = Buffer.alloc(256 * 1024)
    const received = [0, 1, 2].map((index) => {
      const [answer] = decodeTunnelFrames(tunnel.up(body(flow(), { type: 'data', offset: index * piece.length, bytes: piece })))
      return answer?.type === 'flow' && answer.received
    })
    expect(received).toEqual([piece.length, 2 * piece.length, 2 * piece.length])
    connections[0]?.addEventListener('message', () => {})
    connections[0]?.resume()
    const [answer] = decodeTunnelFrames(tunnel.up(body(flow(), { type: 'data', offset: 2 * piece.length, bytes: piece })))
    expect(answer).toMatchObject({ received: 3 * piece.length })
  })

  test('P2: a writer waits while nobody asks for what it wrote', async () => {
    const { open, connections } = await listen()
    const tunnel = open()
    const drained = vi.fn()
    connections[0]?.addEventListener('drain', drained)
    expect(connections[0]?.send(Buffer.alloc(600_000))).toBe(false)
    tunnel.up(body(flow(100_000)))
    expect(drained).not.toHaveBeenCalled()
    tunnel.up(body(flow(600_000)))
    expect(drained).toHaveBeenCalledOnce()
  })

  test('T12: an ended session is told its reason by whatever asks next, and a while later there is no such tunnel', async () => {
    const { tunnels, open } = await listen({ lingerMs: 50 })
    const tunnel = open()
    const waiting = tunnel.poll(body(flow()), new AbortController().signal)
    tunnels.end(ALICE, new WebSocketCloseError(4001, 'the token was revoked'))
    const end = expect.objectContaining({ type: 'end', code: 4001, reason: 'the token was revoked' })
    expect(decodeTunnelFrames(await waiting)).toContainEqual(end)
    expect(decodeTunnelFrames(tunnel.up(body(flow())))).toContainEqual(end)
    await vi.waitFor(() => expect(tunnels.size).toBe(0))
  })

  test('T9: a tunnel from which nothing comes is cut, and one that polls is not', async () => {
    const { tunnels, open, connections } = await listen({ silenceMs: 200, lingerMs: 1, pollMs: 20 })
    open(ALICE)
    const alive = open(BOB)
    const { signal } = new AbortController()
    await vi.waitFor(async () => {
      await alive.poll(body(flow()), signal)
      expect(tunnels.size).toBe(1)
    })
    expect(connections.map(({ status }) => status)).toEqual(['aborted', 'open'])
  })

  test('a handshake has a deadline', async () => {
    const { open, connections } = await listen({ handshakeMs: 30 })
    open()
    await vi.waitFor(() => expect(connections[0]?.status).toBe('aborted'))
  })

  test('T13: tunnels are capped in all and for each address, and places come back', async () => {
    const { tunnels, open } = await listen({ maxTunnels: 3, maxTunnelsPerAddress: 2, lingerMs: 1 })
    const from = (address: string, peer: string): string | undefined => tunnels.open({ peer, address, port: 1 })
    expect(from('192.0.2.1', ALICE)).toBeDefined()
    expect(from('192.0.2.1', BOB)).toBeDefined()
    expect(from('192.0.2.1', BOB)).toBeUndefined()
    expect(from('192.0.2.2', BOB)).toBeDefined()
    expect(from('192.0.2.3', BOB)).toBeUndefined()
    tunnels.end(BOB, new Error('gone'))
    await vi.waitFor(() => expect(tunnels.size).toBe(1))
    open(BOB)
  })

  test('T13: one peer that opens and opens takes no place from others, and its ended tunnels are forgotten', async () => {
    const { tunnels, open } = await listen({ maxTunnels: 6 })
    for (let count = 0; count < 50; count++) open(BOB)
    open(ALICE)
    expect(tunnels.size).toBeLessThanOrEqual(11)
  })

  test('T13: a fifth tunnel of one peer ends the one that was silent longest', async () => {
    let now = 0
    const { open, connections } = await listen({}, () => now++)
    const tunnels = [open(), open(), open(), open()]
    for (const index of [0, 2, 3]) tunnels[index]?.up(body(flow()))
    open()
    expect(connections.map(({ status }) => status)).toEqual(['open', 'aborted', 'open', 'open', 'open'])
  })

  test('T13: what all tunnels keep is capped: whoever keeps most is ended with a reason, and the others go on', async () => {
    const { open, connections } = await listen({ maxHeldBytes: 1_000 })
    const [alice, bob, charlie] = [open(ALICE, '192.0.2.1'), open(BOB, '192.0.2.2'), open(BOB, '192.0.2.3')]
    // Written for alice and not taken; come for bob, whose reader pauses.
    connections[0]?.send(Buffer.alloc(300))
    connections[1]?.pause()
    bob.up(body(flow(), { type: 'data', offset: 0, bytes: Buffer.alloc(600) }))
    expect(connections.map(({ status }) => status)).toEqual(['open', 'open', 'open'])
    connections[2]?.send(Buffer.alloc(200))
    expect(connections.map(({ status }) => status)).toEqual(['open', 'aborted', 'open'])
    expect(decodeTunnelFrames(bob.up(body(flow()))).at(-1)).toMatchObject({ type: 'end', code: 1013 })
    // What is taken counts no more.
    alice.up(body(flow(300)))
    charlie.up(body(flow(200)))
    connections[2]?.send(Buffer.alloc(900))
    expect(connections.map(({ status }) => status)).toEqual(['open', 'aborted', 'open'])
  })

  test('P7: a client that breaks the protocol is cut', async () => {
    const { open, connections } = await listen()
    const tunnel = open()
    expect(() => tunnel.up(body(flow(7)))).toThrow(expect.objectContaining({ code: 'protocol_violation' }))
    expect(connections[0]?.status).toBe('aborted')
  })

  test('stopping tells everybody, and nobody comes in afterwards', async () => {
    const { tunnels, listener, open } = await listen()
    const waiting = open().poll(body(flow()), new AbortController().signal)
    await listener.close()
    expect(decodeTunnelFrames(await waiting)).toContainEqual(expect.objectContaining({ type: 'end', code: 1001 }))
    expect(tunnels.open({ peer: ALICE, address: '192.0.2.1', port: 1 })).toBeUndefined()
  })
})
