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

/** The first packet of a connection: long header, 1,200 bytes. */
function opening(text: string): Buffer {
  const packet = Buffer.alloc(1_200)
  packet[0] = 0xc0
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
  const texts = (): string[] => received.map(({ data }) => data.toString('latin1').replaceAll(/[^a-z ]/g, ''))
  return { socket, port: (socket.address() as AddressInfo).port, received, texts }
}

async function startFront(limits: Partial<UdpFrontLimits> = {}): Promise<{ front: UdpFront; port: number; server: Endpoint }> {
  const server = await endpoint()
  const front = createUdpFront({ ...LIMITS, ...limits })
  const port = await front.bind({ host: '127.0.0.1', port: 0 })
  front.route(server.port)
  cleanups.push(() => front.close())
  return { front, port, server }
}

describe('the UDP front', () => {
  it('F1 passes packets both ways, each client over a flow of its own', async () => {
    const { front, port, server } = await startFront()
    const [alice, bob] = [await endpoint(), await endpoint()]
    alice.socket.send(opening('alice'), port, '127.0.0.1')
    bob.socket.send(opening('bob'), port, '127.0.0.1')
    await eventually(() => expect(server.texts().toSorted()).toEqual(['alice', 'bob']))
    expect(front.flows).toBe(2)
    for (const { data, port: from } of server.received)
      server.socket.send(Buffer.concat([later('for '), data.subarray(100, 110)]), from, '127.0.0.1')
    await eventually(() => expect([alice.texts(), bob.texts()]).toEqual([['for alice'], ['for bob']]))
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

  it('F3 takes no more flows of one address than it may have, nor in all, and has room again when handshakes are done', async () => {
    const { front, port, server } = await startFront({ maxPendingFlowsPerAddress: 2, maxPendingFlows: 3 })
    const clients = await Promise.all(['127.0.0.2', '127.0.0.2', '127.0.0.2', '127.0.0.3', '127.0.0.4'].map((address) => endpoint(address)))
    for (const [index, { socket }] of clients.entries()) {
      socket.send(opening(`${'abcde'[index]}`), port, '127.0.0.1')
      // One after the other, so that it is known who comes first.
      if (![2, 4].includes(index)) await eventually(() => expect(server.texts()).toContain('abcde'[index]))
    }
    clients[0]!.socket.send(later('done'), port, '127.0.0.1')
    await eventually(() => expect(server.texts().join()).toContain('done'))
    expect(server.texts().filter((text) => text.length === 1)).toEqual(['a', 'b', 'd'])
    expect(front.flows).toBe(3)
    clients[2]!.socket.send(opening('again'), port, '127.0.0.1')
    await eventually(() => expect(server.texts()).toContain('again'))
  })

  it('F4 drops flows that do not finish their handshake, and those that fell silent', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const { front, port, server } = await startFront()
    const [alice, bob] = [await endpoint(), await endpoint()]
    for (const [who, { socket }] of Object.entries({ alice, bob })) socket.send(opening(who), port, '127.0.0.1')
    alice.socket.send(later('done'), port, '127.0.0.1')
    await eventually(() => expect(server.texts()).toHaveLength(3))
    vi.advanceTimersByTime(3_000)
    expect(front.flows).toBe(2)
    vi.advanceTimersByTime(1_000)
    expect(front.flows).toBe(1)
    vi.advanceTimersByTime(3_000)
    expect(front.flows).toBe(0)
  })

  it('F5 follows a client to its new address by the server’s id', async () => {
    const { port, server } = await startFront()
    const [before, after] = [await endpoint(), await endpoint()]
    before.socket.send(opening('hello'), port, '127.0.0.1')
    await eventually(() => expect(server.received).toHaveLength(1))
    server.socket.send(answer('abcdefgh'), server.received[0]!.port, '127.0.0.1')
    await eventually(() => expect(before.received).toHaveLength(1))
    // New sessions go elsewhere by now; this one stays with its server.
    after.socket.send(later(' moved', 'abcdefgh'), port, '127.0.0.1')
    await eventually(() => expect(server.texts()).toContain('abcdefgh moved'))
  })

  it('F6 sends new flows to a new server and leaves the others with the old one', async () => {
    const { front, port, server } = await startFront()
    const [alice, bob, fresh] = [await endpoint(), await endpoint(), await endpoint()]
    alice.socket.send(opening('alice'), port, '127.0.0.1')
    await eventually(() => expect(server.texts()).toEqual(['alice']))
    front.route(fresh.port)
    alice.socket.send(later(' still'), port, '127.0.0.1')
    bob.socket.send(opening('bob'), port, '127.0.0.1')
    await eventually(() => expect([server.texts(), fresh.texts()]).toEqual([['alice', ' still'], ['bob']]))
  })

  it('F7 says when it cannot have the port, and leaves nothing when it is closed', async () => {
    const { front, port } = await startFront()
    const second = createUdpFront(LIMITS)
    await expect(second.bind({ host: '127.0.0.1', port })).rejects.toThrow('EADDRINUSE')
    await second.close()
    await front.close()
    await front.close()
    const third = createUdpFront(LIMITS)
    expect(await third.bind({ host: '127.0.0.1', port })).toBe(port)
    await third.close()
  })
})
