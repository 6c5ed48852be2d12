/**
 * The relay's limits as clients meet them: at, below and above, for each scope, with the specification's status and the notice that goes with it. Real libp2p nodes
 * over TCP on loopback; what an address may is in scopes.test.ts, because loopback counts for none.
 */
import type { Libp2p, Stream } from '@libp2p/interface'
import { createServer, type AddressInfo } from 'node:net'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, describe, expect, it } from 'vitest'
import type { BridgeLimits } from './relay.ts'
import { NO_BRIDGE_LIMITS, tokenFor } from './test-policy.ts'
import { createRelayBench, connectTo, type RawPeer } from './test-relay.ts'
import { UNLIMITED, type ScopeLimits } from './scopes.ts'
import { STATUS } from './wire.ts'

const bench = createRelayBench()
const { startRelay, startRaw, askHop, acceptCircuits, eventually } = bench
afterEach(() => bench.end())

const { OK, RESOURCE_LIMIT_EXCEEDED, RESERVATION_REFUSED, NO_RESERVATION, PERMISSION_DENIED } = STATUS
const bridgeLimits = (scope: keyof BridgeLimits, limits: Partial<ScopeLimits>): BridgeLimits => ({
  ...NO_BRIDGE_LIMITS,
  [scope]: { ...UNLIMITED, ...limits },
})

interface Pair {
  readonly alice: RawPeer
  readonly bob: RawPeer
  readonly accepted: readonly Stream[]
  readonly call: () => Promise<number>
}

/** Alice holds a reservation and accepts; bob calls. */
async function startPair(relay: Awaited<ReturnType<typeof startRelay>>): Promise<Pair> {
  const [alice, bob] = [await startRaw(relay.address), await startRaw(relay.address)]
  const accepted = await acceptCircuits(alice.node)
  await askHop(alice.connection, { type: 'RESERVE' })
  const call = async (): Promise<number> => (await askHop(bob.connection, connectTo(alice.node.peerId))).reply.status ?? 0
  return { alice, bob, accepted, call }
}

describe('circuits at once', () => {
  it.each([
    ['token', tokenFor({ circuits: 2 })],
    ['peer', { limits: () => bridgeLimits('peer', { circuits: 2 }) }],
    ['bridge', { limits: () => bridgeLimits('bridge', { circuits: 2 }) }],
  ] as const)('are as many as the %s may have, and one again when one has ended', async (scope, policy) => {
    const under = await startRelay(policy)
    const { alice, bob, call } = await startPair(under)
    const first = await askHop(bob.connection, connectTo(alice.node.peerId))
    expect([first.reply.status, await call(), await call()]).toEqual([OK, OK, RESOURCE_LIMIT_EXCEEDED])
    // Those whose limit it is are told: both are of the token, and both are ends.
    expect(under.log).toContain(`held ${bob.node.peerId.toString()} circuits ${scope}`)
    first.stream.abort(new Error('done'))
    await eventually(() => expect(under.relay.circuits()).toHaveLength(1))
    expect(await call()).toBe(OK)
    expect(under.relay.counters().total).toMatchObject({ circuits: 2, circuitsOpened: 3, circuitsRefused: { RESOURCE_LIMIT_EXCEEDED: 1 } })
  })
})

describe('circuits a minute', () => {
  it.each([
    ['token', tokenFor({ circuitsPerMinute: 8 })],
    ['peer', { limits: () => bridgeLimits('peer', { circuitsPerMinute: 8 }) }],
    ['bridge', { limits: () => bridgeLimits('bridge', { circuitsPerMinute: 8 }) }],
  ] as const)('are a quarter of what the %s may have at once, then come at their rate', async (scope, policy) => {
    const time = { now: 1_000_000 }
    const under = await startRelay(policy, {}, () => time.now)
    const { bob, call } = await startPair(under)
    expect([await call(), await call(), await call()]).toEqual([OK, OK, RESOURCE_LIMIT_EXCEEDED])
    expect(under.log).toContain(`held ${bob.node.peerId.toString()} circuit_rate ${scope}`)
    time.now += 7_499
    expect(await call()).toBe(RESOURCE_LIMIT_EXCEEDED)
    time.now += 1
    expect([await call(), await call()]).toEqual([OK, RESOURCE_LIMIT_EXCEEDED])
  })
})

describe('reservations', () => {
  it.each([
    ['token', tokenFor({ reservations: 1 })],
    ['bridge', { limits: () => bridgeLimits('bridge', { reservations: 1 }) }],
  ] as const)('are as many as the %s may have, and one again when its holder has gone', async (scope, policy) => {
    const { address, relay, log } = await startRelay(policy)
    const [alice, bob] = [await startRaw(address), await startRaw(address)]
    const reserve = async ({ connection }: RawPeer): Promise<number | undefined> =>
      (await askHop(connection, { type: 'RESERVE' })).reply.status
    expect([await reserve(alice), await reserve(bob), await reserve(alice)]).toEqual([OK, RESERVATION_REFUSED, OK])
    expect(log).toContain(`held ${bob.node.peerId.toString()} reservations ${scope}`)
    await alice.node.stop()
    await eventually(() => expect(relay.hasReservation(alice.node.peerId)).toBe(false))
    expect(await reserve(bob)).toBe(OK)
    expect(relay.counters().total).toMatchObject({ reservations: 1, reservationsMade: 3, reservationsRefused: { RESERVATION_REFUSED: 1 } })
  })

  it('are not signed for a peer that asks like a machine', async () => {
    const { address } = await startRelay({}, { reserveBurst: 2 })
    const { connection } = await startRaw(address)
    const ask = async (): Promise<number | undefined> => (await askHop(connection, { type: 'RESERVE' })).reply.status
    expect([await ask(), await ask(), await ask()]).toEqual([OK, OK, RESERVATION_REFUSED])
  })
})

describe('limits that change while circuits run', () => {
  it('are used from the next bytes on', async () => {
    let limits: Partial<ScopeLimits> = { bytesPerSecond: 1 }
    const under = await startRelay({ tokenOf: () => ({ id: 't_1', limits: { ...UNLIMITED, ...limits } }) })
    const { alice, bob, accepted } = await startPair(under)
    const { stream } = await askHop(bob.connection, connectTo(alice.node.peerId))
    let received = 0
    const far = accepted[0]!
    far.addEventListener('message', ({ data }) => {
      received += data.byteLength
    })
    far.resume()
    stream.send(new Uint8Array(2_000_000))
    // At a byte a second the first message owes a day.
    await eventually(() => expect(under.relay.counters().total.throttledMs).toBeGreaterThan(0))
    const before = received
    expect(before).toBeLessThan(2_000_000)
    limits = { bytesPerSecond: null }
    under.relay.limitsChanged()
    await eventually(() => expect(received).toBe(2_000_000))
  })

  it('take back the end of a circuit whose budget was used up', async () => {
    const limits = { raised: 1_000, kept: 1_000 }
    const start = async (name: keyof typeof limits) => {
      const tokenOf = () => ({ id: 't_1', limits: { ...UNLIMITED, bytesPerDay: limits[name] } })
      // Long enough for a crowded machine to raise the limit within it.
      const under = await startRelay({ tokenOf }, { noticeMs: 2_000 })
      const pair = await startPair(under)
      const { stream } = await askHop(pair.bob.connection, connectTo(pair.alice.node.peerId))
      stream.send(new Uint8Array(2_000))
      await eventually(() => expect(under.log).toContain(`ending ${pair.alice.node.peerId.toString()} bytes_per_day`))
      return { under, stream, call: pair.call }
    }
    const raised = await start('raised')
    expect(await raised.call()).toBe(RESOURCE_LIMIT_EXCEEDED)
    limits.raised = 1_000_000
    raised.under.relay.limitsChanged()
    expect(await raised.call()).toBe(OK)
    // When a later one is cut, this one would have been too.
    const kept = await start('kept')
    await eventually(() => expect(kept.under.relay.counters().total.circuitsCut).toEqual({ bytes_per_day: 1 }))
    expect([raised.stream.status, raised.under.relay.counters().total.circuitsCut]).toEqual(['open', {}])
  })
})

describe('a circuit that has lasted as long as it may', () => {
  it('is announced to both ends before it is cut', async () => {
    const time = { now: 1_000_000 }
    const under = await startRelay({}, { circuitSeconds: 100, noticeMs: 50, sweepMs: 10 }, () => time.now)
    const { alice, bob } = await startPair(under)
    const { stream } = await askHop(bob.connection, connectTo(alice.node.peerId))
    time.now += 99_000
    // Bytes are counted at a sweep.
    stream.send(new Uint8Array(1))
    await eventually(() => expect(under.relay.counters().total.bytesSent).toBe(1))
    expect(under.log.filter((line) => line.startsWith('ending'))).toEqual([])
    time.now += 1_000
    await eventually(() => expect(stream.status).toBe('reset'))
    const ends = [bob, alice].map(({ node }) => `ending ${node.peerId.toString()} duration`)
    expect(under.log.filter((line) => line.startsWith('ending'))).toEqual(ends)
  })
})

describe('a relay that drains', () => {
  it('refuses what is new, announces the end of what runs, and is done when that has ended by itself', async () => {
    const under = await startRelay()
    const { alice, bob, call } = await startPair(under)
    const { stream } = await askHop(bob.connection, connectTo(alice.node.peerId))
    const drained = under.relay.drain(60_000)
    expect(await call()).toBe(RESOURCE_LIMIT_EXCEEDED)
    expect((await askHop(bob.connection, { type: 'RESERVE' })).reply.status).toBe(RESERVATION_REFUSED)
    expect(under.log.filter((line) => line.startsWith('ending'))).toEqual(
      [bob, alice].map(({ node }) => `ending ${node.peerId.toString()} draining`),
    )
    expect(stream.status).toBe('open')
    stream.abort(new Error('moved'))
    await drained
    expect(under.relay.counters().total.circuitsCut).toEqual({})
  })

  it('cuts what is left when the time is over', async () => {
    const under = await startRelay()
    const { alice, bob } = await startPair(under)
    const { stream } = await askHop(bob.connection, connectTo(alice.node.peerId))
    await under.relay.drain(50)
    expect(under.relay.counters().total.circuitsCut).toEqual({ draining: 1 })
    await eventually(() => expect(stream.status).toBe('reset'))
  })

  it('is done at once when nothing runs', async () => {
    await (await startRelay()).relay.drain(60_000)
  })
})

describe('the relay never dials', () => {
  it('whatever addresses a message names, and whomever it knows from before', async () => {
    const dialled: string[] = []
    const trap = createServer((socket) => {
      dialled.push('trap')
      socket.destroy()
    })
    await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', resolve))
    const trapAddress = multiaddr(`/ip4/127.0.0.1/tcp/${(trap.address() as AddressInfo).port}`)
    const under = await startRelay()
    under.node.addEventListener('connection:open', ({ detail }) => {
      if (detail.direction === 'outbound') dialled.push(detail.remoteAddr.toString())
    })
    const bob = await startRaw(under.address)
    const ask = async (node: Libp2p | { peerId: Libp2p['peerId'] }): Promise<number | undefined> => {
      const peer = { id: node.peerId.toMultihash().bytes, addrs: [trapAddress.bytes, under.address.bytes] }
      return (await askHop(bob.connection, { type: 'CONNECT', peer })).reply.status
    }

    // A peer that is connected and holds none, one that held one and has gone, itself, and the relay.
    const alice = await startRaw(under.address)
    expect(await ask(alice.node)).toBe(NO_RESERVATION)
    await askHop(alice.connection, { type: 'RESERVE' })
    await under.node.peerStore.merge(alice.node.peerId, { multiaddrs: [trapAddress] })
    await alice.node.stop()
    await eventually(() => expect(under.relay.hasReservation(alice.node.peerId)).toBe(false))
    expect([await ask(alice.node), await ask(bob.node), await ask(under)]).toEqual([NO_RESERVATION, PERMISSION_DENIED, NO_RESERVATION])
    expect(dialled).toEqual([])
    await new Promise((resolve) => trap.close(resolve))
  })
})

it('counts for tokens what it counts in all', async () => {
  const under = await startRelay(tokenFor({ reservations: 5 }), { sweepMs: 10 })
  const { alice, bob } = await startPair(under)
  const { stream } = await askHop(bob.connection, connectTo(alice.node.peerId))
  stream.send(new Uint8Array(12_345))
  await eventually(() => expect(under.relay.counters().total.bytesSent).toBe(12_345))
  const { total, tokens } = under.relay.counters()
  expect(total).toMatchObject({ reservations: 1, circuits: 1, circuitsOpened: 1, bytesSent: 12_345, bytesReceived: 0 })
  // Both ends are of this token: what one sent the other received.
  expect(tokens.get('t_1')).toMatchObject({ reservations: 1, circuits: 1, circuitsOpened: 1, bytesSent: 12_345, bytesReceived: 12_345 })
})
