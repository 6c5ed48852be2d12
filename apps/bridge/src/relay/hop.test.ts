/**
 * The relay between real libp2p nodes over TCP on loopback: stock js-libp2p clients, and raw ones that behave badly.
 */
import type { PeerId } from '@libp2p/interface'
import { RecordEnvelope } from '@libp2p/peer-record'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { RELAY_LIMITS } from './limits.ts'
import { NO_BRIDGE_LIMITS, tokenFor } from './test-policy.ts'
import { WINDOW_BYTES, connectTo, createRelayBench } from './test-relay.ts'
import { STATUS, STOP_PROTOCOL } from './wire.ts'

const bench = createRelayBench()
const { startRelay, startPeer, startRaw, askHop, acceptCircuits, eventually } = bench
afterEach(() => bench.end())

describe('the relay with stock clients', () => {
  it('carries a dial, noise and a ping to a peer that holds a reservation', async () => {
    const { address, relay, peerId } = await startRelay()
    const alice = await startPeer([`${address.toString()}/p2p-circuit`])
    const bob = await startPeer()
    expect(relay.hasReservation(alice.peerId)).toBe(true)
    const connection = await bob.dial(multiaddr(`${address.toString()}/p2p-circuit/p2p/${alice.peerId.toString()}`))
    expect(connection.remotePeer.equals(alice.peerId)).toBe(true)
    expect(await bob.services.ping.ping(alice.peerId)).toBeGreaterThanOrEqual(0)
    expect(relay.circuits()).toMatchObject([{ source: bob.peerId.toString(), destination: alice.peerId.toString() }])
    // Seconds, as the specification has it: a relay that wrote milliseconds would give a thousand times as many.
    expect(connection.limits?.seconds).toBeGreaterThan(RELAY_LIMITS.circuitSeconds - 60)
    expect(connection.limits?.seconds).toBeLessThanOrEqual(RELAY_LIMITS.circuitSeconds)
    expect(peerId).toBeDefined()
  })

  it('gives every byte of both directions in order, and ends the circuit with its connection', async () => {
    const { address, relay } = await startRelay()
    const alice = await startPeer([`${address.toString()}/p2p-circuit`])
    const bob = await startPeer()
    await alice.handle(
      '/echo/1',
      (stream) => {
        stream.addEventListener('message', ({ data }) => void stream.send(data.subarray().slice()))
        stream.addEventListener('remoteCloseWrite', () => void stream.close())
      },
      { runOnLimitedConnection: true },
    )
    const connection = await bob.dial(multiaddr(`${address.toString()}/p2p-circuit/p2p/${alice.peerId.toString()}`))
    const stream = await connection.newStream('/echo/1', { runOnLimitedConnection: true })
    const sent = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 31 + (index >> 8)) & 0xff))
    const received: Uint8Array[] = []
    stream.addEventListener('message', ({ data }) => received.push(data.subarray()))
    stream.send(sent)
    await stream.close()
    await eventually(() => expect(received.reduce((sum, { length }) => sum + length, 0)).toBe(sent.length))
    expect(Buffer.concat(received).equals(sent)).toBe(true)
    await connection.close()
    await eventually(() => expect(relay.circuits()).toEqual([]))
  })

  it('refuses a reservation to whom the policy refuses it', async () => {
    const { address, relay } = await startRelay({ mayReserve: () => false })
    await expect(startPeer([`${address.toString()}/p2p-circuit`])).rejects.toThrow(/202|PERMISSION_DENIED|could not listen|failed/)
    expect(relay.circuits()).toEqual([])
  })

  it('refuses a reservation when the session ended while it was made', async () => {
    const answers = [true, false]
    const { address, relay, log } = await startRelay({ mayReserve: () => answers.shift() ?? false })
    const { node, connection } = await startRaw(address)
    expect((await askHop(connection, { type: 'RESERVE' })).reply.status).toBe(STATUS.PERMISSION_DENIED)
    const id = node.peerId.toString()
    expect([relay.hasReservation(node.peerId), log]).toEqual([false, [`reserved ${id}`, `unreserved ${id}`]])
  })

  it('ends the reservation with the last connection of its peer', async () => {
    const { address, relay, log } = await startRelay()
    const alice = await startPeer([`${address.toString()}/p2p-circuit`])
    await alice.stop()
    await eventually(() => expect(relay.hasReservation(alice.peerId)).toBe(false))
    expect(log).toEqual([`reserved ${alice.peerId.toString()}`, `unreserved ${alice.peerId.toString()}`])
  })
})

describe('the relay with raw clients', () => {
  it.each([
    ['granted', { type: 'RESERVE' } as const],
    ['refused', { type: 'STATUS' } as const],
    ['malformed', Uint8Array.of(1, 2, 3)],
  ])('takes back the stream of a request that was %s when its client does not close it', async (_, request) => {
    const { address, node } = await startRelay({}, { messageMs: 100 })
    const { connection } = await startRaw(address)
    const { stream } = await askHop(connection, request)
    await eventually(() => expect(stream.status).toBe('reset'))
    expect(node.getConnections()[0]?.streams).toEqual([])
  })

  it('does not reset the stream of a client that closes it after the answer', async () => {
    const { address, node } = await startRelay()
    const { connection } = await startRaw(address)
    const { stream } = await askHop(connection, { type: 'RESERVE' })
    await stream.close()
    await eventually(() => expect(node.getConnections()[0]?.streams).toEqual([]))
    expect(stream.status).toBe('closed')
  })

  it('answers a reservation with seconds, its addresses and a voucher that the stock code opens', async () => {
    const { address, peerId } = await startRelay()
    const { node, connection } = await startRaw(address)
    const { reply } = await askHop(connection, { type: 'RESERVE' })
    expect(reply.status).toBe(STATUS.OK)
    const lifeSeconds = Number(reply.reservation!.expire) - Date.now() / 1_000
    expect(lifeSeconds).toBeGreaterThan(RELAY_LIMITS.reservationMs / 1_000 - 60)
    expect(lifeSeconds).toBeLessThanOrEqual(RELAY_LIMITS.reservationMs / 1_000)
    expect(reply.reservation!.addrs.map((each) => multiaddr(each).toString())).toEqual([address.toString()])
    const envelope = await RecordEnvelope.openAndCertify(reply.reservation!.voucher!, 'libp2p-relay-rsvp')
    expect(envelope.publicKey.toString()).toBe(peerId.toString())
    expect(Buffer.from(envelope.payload).includes(Buffer.from(node.peerId.toMultihash().bytes))).toBe(true)
  })

  it.each([
    ['a circuit to a peer without a reservation', 'NO_RESERVATION', async (other: PeerId) => connectTo(other)],
    ['a CONNECT without a peer', 'MALFORMED_MESSAGE', async () => ({ type: 'CONNECT' }) as const],
    ['a message without a type', 'MALFORMED_MESSAGE', async () => ({})],
    ['a message of an unknown type', 'MALFORMED_MESSAGE', async () => Uint8Array.of(0x08, 0x07)],
    ['a STATUS that nobody asked for', 'UNEXPECTED_MESSAGE', async () => ({ type: 'STATUS', status: 100 }) as const],
    ['bytes that are no message', 'MALFORMED_MESSAGE', async () => Uint8Array.of(0xff, 0xff)],
    ['a message over 4 KiB', 'MALFORMED_MESSAGE', async () => new Uint8Array(5_000)],
  ] as const)('refuses %s with %s', async (_, status, make) => {
    const { address } = await startRelay()
    const alice = await startRaw(address)
    const bob = await startRaw(address)
    const { reply } = await askHop(alice.connection, await make(bob.node.peerId))
    expect(reply).toMatchObject({ type: 'STATUS', status: STATUS[status] })
  })

  it('refuses a circuit that the policy forbids, and one past the cap', async () => {
    let allowed = false
    const limits = { ...NO_BRIDGE_LIMITS, peer: { ...NO_BRIDGE_LIMITS.peer, circuits: 1 } }
    const { address } = await startRelay({ mayConnect: () => allowed, limits: () => limits })
    const alice = await startRaw(address)
    const bob = await startRaw(address)
    await acceptCircuits(alice.node)
    await askHop(alice.connection, { type: 'RESERVE' })
    expect((await askHop(bob.connection, connectTo(alice.node.peerId))).reply.status).toBe(STATUS.PERMISSION_DENIED)
    allowed = true
    expect((await askHop(bob.connection, connectTo(alice.node.peerId))).reply.status).toBe(STATUS.OK)
    expect((await askHop(bob.connection, connectTo(alice.node.peerId))).reply.status).toBe(STATUS.RESOURCE_LIMIT_EXCEEDED)
  })

  it('gives the slot back when the destination does not answer', async () => {
    const { address, relay } = await startRelay({}, { messageMs: 200 })
    const alice = await startRaw(address)
    const bob = await startRaw(address)
    await alice.node.handle(STOP_PROTOCOL, () => {})
    await askHop(alice.connection, { type: 'RESERVE' })
    expect((await askHop(bob.connection, connectTo(alice.node.peerId))).reply.status).toBe(STATUS.CONNECTION_FAILED)
    expect(relay.circuits()).toEqual([])
  })

  it('serves the newest connection of a peer that has two', async () => {
    const { address } = await startRelay()
    const alice = await startRaw(address)
    const bob = await startRaw(address)
    await askHop(alice.connection, { type: 'RESERVE' })
    const newest = await alice.node.dial(address, { force: true })
    const used: string[] = []
    await alice.node.handle(STOP_PROTOCOL, (stream, connection) => {
      used.push(connection.id)
      stream.abort(new Error('seen'))
    })
    await askHop(bob.connection, connectTo(alice.node.peerId))
    expect(used).toEqual([newest.id])
  })

  it('stops reading from a sender whose reader does not read, and goes on when it does', async () => {
    const { address, relay } = await startRelay()
    const alice = await startRaw(address)
    const bob = await startRaw(address)
    const [accepted] = [await acceptCircuits(alice.node)]
    await askHop(alice.connection, { type: 'RESERVE' })
    const { stream } = await askHop(bob.connection, connectTo(alice.node.peerId))
    const total = 16 * 1024 * 1024
    for (let sent = 0; sent < total; sent += 65_536) stream.send(new Uint8Array(65_536))
    // What the relay has taken stops growing: it is the windows of reader and relay, not what the sender has.
    const taken = await settled(() => relay.circuits()[0]!.bytes)
    expect(taken).toBeGreaterThan(0)
    expect(taken).toBeLessThan(4 * 1024 * 1024)
    let received = 0
    accepted[0]!.addEventListener('message', ({ data }) => {
      received += data.byteLength
    })
    accepted[0]!.resume()
    await eventually(() => expect(received).toBe(total))
  })

  it('holds no more than its windows for a reader that stops and goes', async () => {
    const { address, relay } = await startRelay()
    const alice = await startRaw(address)
    const bob = await startRaw(address)
    const accepted = await acceptCircuits(alice.node)
    await askHop(alice.connection, { type: 'RESERVE' })
    const { stream } = await askHop(bob.connection, connectTo(alice.node.peerId))
    const far = accepted[0]!
    const total = 32 * 1024 * 1024
    let received = 0
    let held = 0
    far.addEventListener('message', ({ data }) => {
      received += data.byteLength
      held = Math.max(held, (relay.circuits()[0]?.bytes ?? 0) - received)
    })
    // A glance every 10 ms: what has arrived is taken, and then nothing again.
    const glances = setInterval(() => {
      if (far.status !== 'open') return
      far.resume()
      far.pause()
    }, 10)
    stream.send(new Uint8Array(total))
    await eventually(() => expect(stream.status === 'open' && received).toBe(total)).finally(() => clearInterval(glances))
    expect(held).toBeLessThan(6 * 1024 * 1024)
  })

  it('passes a half-close on after the last byte, and keeps the other direction open', async () => {
    const { address, relay } = await startRelay()
    const alice = await startRaw(address)
    const bob = await startRaw(address)
    const accepted = await acceptCircuits(alice.node)
    await askHop(alice.connection, { type: 'RESERVE' })
    const { stream } = await askHop(bob.connection, connectTo(alice.node.peerId))
    stream.send(new Uint8Array(700_000))
    await stream.close()
    const far = accepted[0]!
    let received = 0
    far.addEventListener('message', ({ data }) => {
      received += data.byteLength
    })
    far.resume()
    await eventually(() => expect(far.remoteWriteStatus).toBe('closed'))
    expect(received).toBe(700_000)
    let back = 0
    stream.addEventListener('message', ({ data }) => {
      back += data.byteLength
    })
    far.send(new Uint8Array(1_000))
    await far.close()
    await eventually(() => expect(back).toBe(1_000))
    await eventually(() => expect(relay.circuits()).toEqual([]))
  })

  it('resets one side when the other is reset', async () => {
    const { address, relay } = await startRelay()
    const alice = await startRaw(address)
    const bob = await startRaw(address)
    const accepted = await acceptCircuits(alice.node)
    await askHop(alice.connection, { type: 'RESERVE' })
    const { stream } = await askHop(bob.connection, connectTo(alice.node.peerId))
    stream.abort(new Error('enough'))
    await eventually(() => expect(accepted[0]!.status).toBe('reset'))
    await eventually(() => expect(relay.circuits()).toEqual([]))
  })

  it('cuts the circuit when the budget is used up', async () => {
    const { address, relay, log } = await startRelay(tokenFor({ bytesPerDay: 300_000 }), { noticeMs: 200 })
    const alice = await startRaw(address)
    const bob = await startRaw(address)
    const accepted = await acceptCircuits(alice.node)
    await askHop(alice.connection, { type: 'RESERVE' })
    const { stream } = await askHop(bob.connection, connectTo(alice.node.peerId))
    let received = 0
    accepted[0]!.addEventListener('message', ({ data }) => {
      received += data.byteLength
    })
    accepted[0]!.resume()
    for (let sent = 0; sent < 1_000_000; sent += 50_000) if (stream.status === 'open') stream.send(new Uint8Array(50_000))
    await eventually(() => expect(stream.status).toBe('reset'))
    // What came before the notice, the farewell, and what was in hand.
    expect(received).toBeGreaterThan(200_000)
    expect(received).toBeLessThanOrEqual(300_000 + RELAY_LIMITS.farewellBytes + WINDOW_BYTES)
    expect(relay.circuits()).toEqual([])
    const [a, b] = [alice.node.peerId.toString(), bob.node.peerId.toString()]
    expect(log.filter((line) => line.startsWith('ending'))).toEqual([`ending ${b} bytes_per_day`, `ending ${a} bytes_per_day`])
    expect(relay.counters().total.circuitsCut).toEqual({ bytes_per_day: 1 })
    expect((await askHop(bob.connection, connectTo(alice.node.peerId))).reply.status).toBe(STATUS.RESOURCE_LIMIT_EXCEEDED)
  })

  it('keeps a circuit to its rate', async () => {
    const { address, relay } = await startRelay(tokenFor({ bytesPerSecond: 4_000_000 }))
    const alice = await startRaw(address)
    const bob = await startRaw(address)
    const accepted = await acceptCircuits(alice.node)
    await askHop(alice.connection, { type: 'RESERVE' })
    const { stream } = await askHop(bob.connection, connectTo(alice.node.peerId))
    let received = 0
    accepted[0]!.addEventListener('message', ({ data }) => {
      received += data.byteLength
    })
    accepted[0]!.resume()
    const startedAt = performance.now()
    stream.send(new Uint8Array(8_000_000))
    await eventually(() => expect(stream.status === 'open' && received).toBe(8_000_000))
    // Half a second's rate goes at once and one message may be owed: what is left takes its time, and the relay keeps none of it meanwhile.
    expect(performance.now() - startedAt).toBeGreaterThan(500)
    expect(relay.counters().total.throttledMs).toBeGreaterThan(500)
  })

  it('ends reservation and circuits at a release', async () => {
    const { address, relay, log } = await startRelay()
    const alice = await startRaw(address)
    const bob = await startRaw(address)
    await acceptCircuits(alice.node)
    await askHop(alice.connection, { type: 'RESERVE' })
    const { stream } = await askHop(bob.connection, connectTo(alice.node.peerId))
    relay.release(alice.node.peerId)
    expect(relay.hasReservation(alice.node.peerId)).toBe(false)
    await eventually(() => expect(stream.status).toBe('reset'))
    expect(relay.circuits()).toEqual([])
    expect(log.slice(1)).toEqual([`unreserved ${alice.node.peerId.toString()}`, `ending ${bob.node.peerId.toString()} peer`])
    expect((await askHop(bob.connection, connectTo(alice.node.peerId))).reply.status).toBe(STATUS.NO_RESERVATION)
  })
})

/** The value once it has stayed the same over a quarter of a second. */
async function settled(read: () => number): Promise<number> {
  let seen = read()
  let since = performance.now()
  await vi.waitFor(
    () => {
      const now = read()
      if (now !== seen) [seen, since] = [now, performance.now()]
      expect(performance.now() - since).toBeGreaterThan(250)
    },
    { timeout: 10_000, interval: 10 },
  )
  return seen
}
