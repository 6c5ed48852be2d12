/**
 * The server over real UDP sockets.
 */
import { randomBytes } from 'node:crypto'
import { createSocket, type Socket } from 'node:dgram'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createAllowance, type Allowance } from './allowance.ts'
import { encodeBindingRequest, encodeMappedAddress, parseBinding } from './message.ts'
import { createStunServer, type StunServer } from './stun-server.ts'

const cleanups: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
const eventually = <Value>(check: () => Value): Promise<Value> => vi.waitFor(check, { timeout: 5_000, interval: 2 })

async function start(host = '127.0.0.1'): Promise<{ server: StunServer; allowance: Allowance; ports: [number, number] }> {
  const allowance = createAllowance({ now: Date.now })
  const server = createStunServer({ allowance })
  cleanups.push(() => server.stop())
  return { server, allowance, ports: [await server.listen({ host, port: 0 }), await server.listen({ host, port: 0 })] }
}

async function client(family: 4 | 6 = 4): Promise<{ socket: Socket; port: number; answers: Buffer[] }> {
  const socket = createSocket(`udp${family}`)
  const answers: Buffer[] = []
  socket.on('message', (answer) => answers.push(answer))
  await new Promise<void>((resolve) => socket.bind(0, family === 4 ? '127.0.0.1' : '::1', resolve))
  cleanups.push(() => void socket.close())
  return { socket, port: socket.address().port, answers }
}

/** What browsers send: twenty bytes. */
const bare = (id: Uint8Array): Buffer => Buffer.concat([Buffer.from('000100002112a442', 'hex'), id])

describe('the STUN server', () => {
  it('answers the second of two bare requests, sent to its two ports at once', async () => {
    const { server, ports } = await start()
    const { socket, port, answers } = await client()
    const ids = [randomBytes(12), randomBytes(12)]
    for (const [index, id] of ids.entries()) {
      socket.send(bare(id), ports[index], '127.0.0.1')
      await eventually(() => expect(server.counters.received).toBe(index + 1))
    }
    await eventually(() => expect(answers).toHaveLength(1))
    expect(parseBinding(answers[0]!)).toMatchObject({ transactionId: new Uint8Array(ids[1]!), mapped: { address: '127.0.0.1', port } })
    expect(answers[0]).toHaveLength(32)
    // The retransmissions of the first one, which RFC 8489 sends after half a second and sooner.
    for (let times = 0; times < 2; times++) socket.send(bare(ids[0]!), ports[0], '127.0.0.1')
    await eventually(() => expect(answers).toHaveLength(2))
    expect(server.counters).toEqual({ received: 4, answered: 2 })
  })

  it('answers everybody at once at an address from which somebody logged in', async () => {
    const { allowance, ports } = await start()
    allowance.vouch('127.0.0.1')
    const { socket, answers } = await client()
    socket.send(bare(randomBytes(12)), ports[0], '127.0.0.1')
    await eventually(() => expect(answers).toHaveLength(1))
  })

  it('answers a request that is as long as its answer, with a fingerprint, over IPv6 too', async () => {
    const { ports } = await start('::')
    for (const [family, host] of [
      [4, '127.0.0.1'],
      [6, '::1'],
    ] as const) {
      const { socket, port, answers } = await client(family)
      const id = randomBytes(12)
      socket.send(encodeBindingRequest(id, 'footbridge doctor'), ports[0], host)
      await eventually(() => expect(answers).toHaveLength(1))
      expect(parseBinding(answers[0]!)).toMatchObject({
        hasFingerprint: true,
        transactionId: new Uint8Array(id),
        mapped: { address: host, port },
      })
    }
  })

  it('says 420 to what it must understand and does not', async () => {
    const { ports } = await start()
    const { socket, answers } = await client()
    const changeRequest = Buffer.concat([Buffer.from('000100082112a442', 'hex'), randomBytes(12), Buffer.from('0003000400000006', 'hex')])
    for (let times = 0; times < 2; times++) socket.send(changeRequest, ports[0], '127.0.0.1')
    await eventually(() => expect(answers).toHaveLength(1))
    expect(parseBinding(answers[0]!)).toMatchObject({ kind: 'error', errorCode: 420 })
  })

  it('is silent to answers, indications and what is damaged, so that two servers cannot be made to talk', async () => {
    const { server, allowance, ports } = await start()
    allowance.vouch('127.0.0.1')
    const { socket, answers } = await client()
    const id = randomBytes(12)
    const damaged = Buffer.from(encodeBindingRequest(id, 'footbridge'))
    damaged[22]! ^= 1
    const indication = bare(id)
    indication[1] = 0x11
    const strays = [
      encodeMappedAddress({ transactionId: id, hasFingerprint: true }, { address: '192.0.2.1', port: 1 }),
      indication,
      damaged,
      bare(id).subarray(0, 19),
    ]
    for (const stray of strays) socket.send(stray, ports[0], '127.0.0.1')
    socket.send(bare(id), ports[0], '127.0.0.1')
    await eventually(() => expect(answers).toHaveLength(1))
    expect(server.counters).toEqual({ received: 4, answered: 1 })
  })

  it('leaves what is not STUN to others', async () => {
    const { server } = await start()
    const from = { address: '192.0.2.1', port: 4711 }
    expect(server.receive(Buffer.alloc(1_200, 0xc0), from, () => {})).toBe(false)
    expect(server.receive(Buffer.alloc(20), from, () => {})).toBe(false)
    expect(server.receive(bare(randomBytes(12)), from, () => {})).toBe(true)
  })

  it('says when it cannot have a port, and leaves none behind', async () => {
    const { server, ports } = await start()
    await expect(server.listen({ host: '127.0.0.1', port: ports[0] })).rejects.toThrow('EADDRINUSE')
    await server.stop()
    await server.stop()
    const again = createStunServer({ allowance: createAllowance({ now: Date.now }) })
    expect(await again.listen({ host: '127.0.0.1', port: ports[0] })).toBe(ports[0])
    await again.stop()
  })
})
