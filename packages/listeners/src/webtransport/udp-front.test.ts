/**
 * The front between fake clients and fake servers: UDP sockets that send what looks like QUIC. Rules: SPEC.md.
 */
import { createSocket, type Socket } from 'node:dgram'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createUdpFront, type UdpFront, type UdpFrontLimits } from './udp-front.ts'

const cleanups: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
const eventually = <Value>(check: () => Value | Promise<Value>): Promise<Value> => vi.waitFor(check, { timeout: 3_000, interval: 2 })

const LIMITS: UdpFrontLimits = {
  maxFlows: 100,
  maxFlowsPerAddress: 100,
  maxPendingFlows: 100,
  maxPendingFlowsPerAddress: 100,
  pendingFlowMs: 3_000,
  idleFlowMs: 6_000,
}

/** The first packet of a connection: long header, version 1, an id for the server, 1,200 bytes. */
function opening(text: string, serverId = text): Buffer {
  const packet = Buffer.alloc(1_200)
  packet.set([0xc0, 0, 0, 0, 1, serverId.length])
  packet.write(serverId, 6, 'latin1')
  packet.write(text, 100)
  return packet
}

/** A packet after the handshake: short header, the id of the receiver, and something. */
function later(text: string, serverId = '12345678'): Buffer {
  return Buffer.concat([Buffer.of(0x40), Buffer.from(serverId, 'latin1'), Buffer.from(text)])
}

/** What a server sends first: long header, version, no id of the client's, its own id. */
function answer(serverId: string): Buffer {
  return Buffer.concat([Buffer.of(0xc0, 0, 0, 0, 1, 0, serverId.length), Buffer.from(serverId, 'latin1'), Buffer.alloc(20)])
}

interface Endpoint {
  readonly socket: Socket
  readonly port: number
  readonly received: { readonly data: Buffer; readonly port: number }[]
  readonly texts: () => string[]
}

async function endpoint(address = '127.0.0.1'): Promise<Endpoint> {
  const socket = createSocket('udp4')
  const received: { data: Buffer; port: number }[] = []
  socket.on('message', (data, { port }) => received.push({ data, port }))
  await new Promise<void>((resolve) => socket.bind(0, address, resolve))
  cleanups.push(() => void socket.close())
  const texts = (): string[] =>
    received.map(({ data }) => data.toString('latin1', (data[0] ?? 0) >= 0x80 ? 100 : 0).replaceAll(/[^a-z ]/g, ''))
  return { socket, port: (socket.address() as AddressInfo).port, received, texts }
}

interface FrontUnderTest {
  readonly front: UdpFront
  readonly port: number
  /** The first server, which is free at first. */
  readonly server: Endpoint
  /** What came to any server. */
  readonly texts: () => string[]
  /** The server that got this text. */
  readonly serverOf: (text: string) => Endpoint
  readonly free: Endpoint[]
}

/** A front with as many servers as it asks for; each is taken and given back as a pool does. */
async function startFront(limits: Partial<UdpFrontLimits> = {}): Promise<FrontUnderTest> {
  const server = await endpoint()
  const servers = [server]
  const free = [server]
  const front = createUdpFront(
    { ...LIMITS, ...limits },
    {
      take: () =>
        free.pop()?.port ??
        endpoint().then((fresh) => {
          servers.push(fresh)
          return fresh.port
        }),
      giveBack: (serverPort) => void free.push(servers.find((each) => each.port === serverPort)!),
    },
  )
  const port = await front.bind({ host: '127.0.0.1', port: 0 })
  cleanups.push(() => front.close())
  const texts = (): string[] => servers.flatMap((each) => each.texts())
  return { front, port, server, texts, free, serverOf: (text) => servers.find((each) => each.texts().includes(text))! }
}

describe('the UDP front', () => {
  it('F1 passes packets both ways, each client over a flow of its own', async () => {
    const { front, port, texts, serverOf } = await startFront()
    const clients = { alice: await endpoint(), bob: await endpoint() }
    for (const [who, { socket }] of Object.entries(clients)) socket.send(opening(who), port, '127.0.0.1')
    await eventually(() => expect(texts().toSorted()).toEqual(['alice', 'bob']))
    expect(front.flows).toBe(2)
    for (const who of ['alice', 'bob'] as const)
      serverOf(who).socket.send(later(`for ${who}`), serverOf(who).received[0]!.port, '127.0.0.1')
    await eventually(() => expect([clients.alice.texts(), clients.bob.texts()]).toEqual([['for alice'], ['for bob']]))
  })

  it('F2 opens no flow for what begins no connection', async () => {
    const { front, port, server } = await startFront()
    const client = await endpoint()
    for (const packet of [Buffer.from('x'), opening('short').subarray(0, 1_199), later('stray'), Buffer.alloc(0)])
      client.socket.send(packet, port, '127.0.0.1')
    client.socket.send(opening('real'), port, '127.0.0.1')
    await eventually(() => expect(server.texts()).toEqual(['real']))
    expect(front.flows).toBe(1)
  })

  it('F3 takes no more flows of one address than it may have, nor in all, and has room again when requests have come', async () => {
    const { front, port, texts, serverOf } = await startFront({ maxPendingFlowsPerAddress: 2, maxPendingFlows: 3 })
    const clients = await Promise.all(['127.0.0.2', '127.0.0.2', '127.0.0.2', '127.0.0.3', '127.0.0.4'].map((address) => endpoint(address)))
    for (const [index, { socket }] of clients.entries()) {
      socket.send(opening(`${'abcde'[index]}`), port, '127.0.0.1')
      // One after the other, so that it is known who comes first.
      if (![2, 4].includes(index)) await eventually(() => expect(texts()).toContain('abcde'[index]))
    }
    clients[0]!.socket.send(later('done'), port, '127.0.0.1')
    await eventually(() => expect(texts().join()).toContain('done'))
    expect(texts().filter((text) => text.length === 1)).toEqual(['a', 'b', 'd'])
    expect(front.flows).toBe(3)
    expect(front.claim(serverOf('a').port)).toEqual({ address: '127.0.0.2', port: clients[0]!.port })
    clients[2]!.socket.send(opening('again'), port, '127.0.0.1')
    await eventually(() => expect(texts()).toContain('again'))
  })

  it('F4 drops flows that make no request in time, and those that fell silent', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const { front, port, texts, serverOf } = await startFront()
    const [alice, bob] = [await endpoint(), await endpoint()]
    for (const [who, { socket }] of Object.entries({ alice, bob })) socket.send(opening(who), port, '127.0.0.1')
    await eventually(() => expect(texts()).toHaveLength(2))
    front.claim(serverOf('alice').port)
    vi.advanceTimersByTime(3_000)
    expect(front.flows).toBe(2)
    vi.advanceTimersByTime(1_000)
    expect(front.flows).toBe(1)
    vi.advanceTimersByTime(3_000)
    expect(front.flows).toBe(0)
  })

  it('F5 follows a client to its new address by the server’s id', async () => {
    const { port, server, front, texts } = await startFront()
    const [before, after] = [await endpoint(), await endpoint()]
    before.socket.send(opening('hello'), port, '127.0.0.1')
    await eventually(() => expect(server.received).toHaveLength(1))
    server.socket.send(answer('abcdefgh'), server.received[0]!.port, '127.0.0.1')
    await eventually(() => expect(before.received).toHaveLength(1))
    front.claim(server.port)
    after.socket.send(later(' moved', 'abcdefgh'), port, '127.0.0.1')
    await eventually(() => expect(server.texts()).toContain('abcdefgh moved'))
    // That was no beginning: the server is still free for one.
    expect(front.claim(server.port)).toBeUndefined()
    before.socket.send(later(' old'), port, '127.0.0.1')
    await eventually(() => expect(texts()).toContain(' old'))
  })

  it('F6 keeps a flow at the server that it began with, and gives that server to another once its request has come', async () => {
    const { front, port, server, texts, serverOf } = await startFront()
    const clients = { alice: await endpoint(), bob: await endpoint(), charlie: await endpoint() }
    clients.alice.socket.send(opening('alice'), port, '127.0.0.1')
    await eventually(() => expect(server.texts()).toEqual(['alice']))
    clients.bob.socket.send(opening('bob'), port, '127.0.0.1')
    await eventually(() => expect(texts()).toContain('bob'))
    expect(server.texts()).toEqual(['alice'])
    expect(front.claim(server.port)).toEqual({ address: '127.0.0.1', port: clients.alice.port })
    clients.charlie.socket.send(opening('charlie'), port, '127.0.0.1')
    clients.alice.socket.send(later(' still'), port, '127.0.0.1')
    await eventually(() => expect(server.texts().toSorted()).toEqual([' still', 'alice', 'charlie']))
    expect(front.claim(server.port)).toEqual({ address: '127.0.0.1', port: clients.charlie.port })
    expect(front.claim(serverOf('bob').port)).toEqual({ address: '127.0.0.1', port: clients.bob.port })
    expect(front.claim(server.port)).toBeUndefined()
  })

  it('F8 lets nobody slip a second beginning into a flow, so that no request is taken for somebody else’s', async () => {
    const { port, server, texts } = await startFront()
    const alice = await endpoint()
    alice.socket.send(opening('first'), port, '127.0.0.1')
    alice.socket.send(opening('second'), port, '127.0.0.1')
    alice.socket.send(opening('again', 'first'), port, '127.0.0.1')
    alice.socket.send(later(' last'), port, '127.0.0.1')
    await eventually(() => expect(server.texts()).toContain(' last'))
    expect(texts()).toEqual(['first', 'again', ' last'])
  })

  it('F8 takes a client that begins again from the same port for a new flow, and serves the old one on', async () => {
    const { front, port, server, texts, serverOf } = await startFront()
    const alice = await endpoint()
    alice.socket.send(opening('first'), port, '127.0.0.1')
    await eventually(() => expect(server.texts()).toEqual(['first']))
    front.claim(server.port)
    const bob = await endpoint()
    bob.socket.send(opening('bob'), port, '127.0.0.1')
    await eventually(() => expect(server.texts()).toContain('bob'))
    alice.socket.send(opening('second'), port, '127.0.0.1')
    await eventually(() => expect(texts()).toContain('second'))
    const second = serverOf('second')
    expect([front.flows, second === server]).toEqual([3, false])
    // Not known yet which of the two it is for, but the second has nothing to receive yet.
    alice.socket.send(later(' one'), port, '127.0.0.1')
    await eventually(() => expect(server.texts()).toContain(' one'))
    second.socket.send(answer('abcdefgh'), second.received[0]!.port, '127.0.0.1')
    await eventually(() => expect(alice.received).toHaveLength(1))
    expect(front.claim(second.port)).toEqual({ address: '127.0.0.1', port: alice.port })
    alice.socket.send(later(' two', 'abcdefgh'), port, '127.0.0.1')
    await eventually(() => expect(second.texts()).toContain('abcdefgh two'))
  })

  it('F8 gives a server to nobody right after its flow was dropped without a request', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const { front, port, server, texts, free } = await startFront()
    const [alice, bob] = [await endpoint(), await endpoint()]
    alice.socket.send(opening('alice'), port, '127.0.0.1')
    await eventually(() => expect(server.texts()).toEqual(['alice']))
    vi.advanceTimersByTime(4_000)
    expect([front.flows, front.claim(server.port)]).toEqual([0, undefined])
    bob.socket.send(opening('bob'), port, '127.0.0.1')
    await eventually(() => expect(texts()).toContain('bob'))
    expect(server.texts()).toEqual(['alice'])
    vi.advanceTimersByTime(2_000)
    expect(free).toContain(server)
  })

  it('F9 shows its neighbour what does not look like QUIC, and keeps what that does not take', async () => {
    const server = await endpoint()
    const shown: string[] = []
    const pool = { take: () => server.port, giveBack: () => {} }
    const front = createUdpFront(LIMITS, pool, (datagram, { address, port: from }, reply) => {
      shown.push(`${datagram.toString('latin1', 1)} from ${address}:${from}`)
      if (datagram.includes('greased')) return false
      reply(Buffer.from('an answer'))
      return true
    })
    const port = await front.bind({ host: '127.0.0.1', port: 0 })
    cleanups.push(() => front.close())
    const client = await endpoint()
    client.socket.send(opening('hello'), port, '127.0.0.1')
    client.socket.send(later(' later'), port, '127.0.0.1')
    client.socket.send(Buffer.from('\0 greased'), port, '127.0.0.1')
    client.socket.send(Buffer.from('\u0001 asked'), port, '127.0.0.1')
    await eventually(() => expect(client.texts()).toEqual(['an answer']))
    await eventually(() => expect(server.texts()).toEqual(['hello', ' later', ' greased']))
    expect(shown).toEqual([` greased from 127.0.0.1:${client.port}`, ` asked from 127.0.0.1:${client.port}`])
    expect(front.flows).toBe(1)
  })

  it('F7 says when it cannot have the port, and leaves nothing when it is closed', async () => {
    const { front, port } = await startFront()
    const none = { take: () => 0, giveBack: () => {} }
    const second = createUdpFront(LIMITS, none)
    await expect(second.bind({ host: '127.0.0.1', port })).rejects.toThrow('EADDRINUSE')
    await second.close()
    await front.close()
    await front.close()
    const third = createUdpFront(LIMITS, none)
    expect(await third.bind({ host: '127.0.0.1', port })).toBe(port)
    await third.close()
  })
})
