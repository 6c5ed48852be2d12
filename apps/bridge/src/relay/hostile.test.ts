/**
 * Circuits through a whole bridge whose ends behave badly: they do not read, never stop, reset or vanish at every step. What the bridge holds stays bounded
 * whatever they do, the other end learns of it, and nothing is left behind.
 * Not here: bad bytes (fuzz-live.test.ts), what takes a deadline's time (deadlines.slow.test.ts).
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { usedMemory } from '@footbridge/protocols/fuzz/test-fuzz'
import type { Stream } from '@libp2p/interface'
import { afterEach, describe, expect, it } from 'vitest'
import { createBench, type TestBridge } from '../test-bridge.ts'
import {
  askHop,
  bufferedBytes,
  connectTo,
  eventually,
  framed,
  holdings,
  liftLimits,
  openCircuit,
  type RawPeer,
  reserve,
  served,
  startRawPeer,
  unlimitedToken,
} from '../test-raw-peers.ts'
import { HOP_PROTOCOL, STATUS, STOP_PROTOCOL, encodeHopMessage, encodeStopMessage } from './wire.ts'

/** What one direction of a circuit may make the bridge hold. */
const MAX_HELD_BYTES = 256 * 1024
const CHUNK = new Uint8Array(64 * 1024)

const bench = createBench()
afterEach(() => bench.end())

async function startTrio(by: 'tcp' | 'ws' = 'tcp'): Promise<{ bridge: TestBridge; alice: RawPeer; bob: RawPeer }> {
  const bridge = await bench.startBridge()
  const alice = await startRawPeer(bench, bridge, { name: 'Alice', by })
  const bob = await startRawPeer(bench, bridge)
  await reserve(alice)
  await eventually(() => expect(holdings(bridge)['streams']).toBe(0))
  return { bridge, alice, bob }
}

/** Writes for as long as the stream lives. */
function flood(stream: Stream): void {
  const fill = (): void => {
    while (stream.status === 'open' && stream.send(CHUNK));
  }
  stream.addEventListener('drain', () => queueMicrotask(fill))
  fill()
}

/** Glances at the bridge's buffers until `until` holds. @returns the most that they held. */
async function mostHeld(bridge: TestBridge, until: () => boolean): Promise<number> {
  let most = 0
  await eventually(() => {
    most = Math.max(most, bufferedBytes(bridge))
    expect(until()).toBe(true)
  })
  return most
}

/** True once the circuit's bytes have stood still for a third of a second. */
function standsStill(bridge: TestBridge): () => boolean {
  let seen = -1
  let since = performance.now()
  return () => {
    const bytes = bridge.relay.circuits().reduce((sum, circuit) => sum + circuit.bytes, 0)
    if (bytes !== seen) [seen, since] = [bytes, performance.now()]
    return bytes > 0 && performance.now() - since > 333
  }
}

describe('what a circuit makes the bridge hold', { timeout: 60_000 }, () => {
  it.each([
    ['from the caller', (near: Stream, _far: Stream) => near],
    ['from the destination', (_near: Stream, far: Stream) => far],
  ])('is bounded when a sender never stops and its reader never reads, %s', async (_, sender) => {
    const { bridge, alice, bob } = await startTrio()
    const { near, far } = await openCircuit(bob, alice)
    near.pause()
    flood(sender(near, far))
    const held = await mostHeld(bridge, standsStill(bridge))
    // None would mean that the test looks at the wrong buffers.
    expect(held).toBeGreaterThan(0)
    expect(held).toBeLessThanOrEqual(MAX_HELD_BYTES)
  })

  it('is bounded in both directions at once, over WebSocket', async () => {
    const { bridge, alice, bob } = await startTrio('ws')
    const { near, far } = await openCircuit(bob, alice)
    near.pause()
    flood(near)
    flood(far)
    expect(await mostHeld(bridge, standsStill(bridge))).toBeLessThanOrEqual(2 * MAX_HELD_BYTES)
  })

  it('is bounded for a slow reader, who gets every byte in order', async () => {
    const { bridge, alice, bob } = await startTrio()
    const { near, far } = await openCircuit(bob, alice)
    const total = 12 * 1024 * 1024
    let [received, wrong] = [0, 0]
    far.addEventListener('message', ({ data }) => {
      const bytes = data.subarray()
      for (let index = 0; index < bytes.length; index += 997) if (bytes[index] !== ((received + index) * 31) % 251) wrong++
      received += bytes.length
    })
    // Reads for a moment every 5 ms.
    const glances = setInterval(() => {
      if (far.status !== 'open') return
      far.resume()
      far.pause()
    }, 5)
    try {
      near.send(Uint8Array.from({ length: total }, (_, index) => (index * 31) % 251))
      expect(await mostHeld(bridge, () => received === total)).toBeLessThanOrEqual(MAX_HELD_BYTES)
    } finally {
      clearInterval(glances)
    }
    expect(wrong).toBe(0)
  })

  it('is given back while the circuit runs, however much has gone through', async () => {
    const { bridge, alice, bob } = await startTrio()
    const { near, far } = await openCircuit(bob, alice)
    let received = 0
    far.addEventListener('message', ({ data }) => {
      received += data.byteLength
    })
    far.resume()
    const relayed = async (total: number): Promise<void> => {
      flood(near)
      await eventually(() => expect(received).toBeGreaterThan(total))
    }
    await relayed(8 * 1024 * 1024)
    const before = await usedMemory()
    await relayed(48 * 1024 * 1024)
    // What is under way at this moment; a relay that kept what it passed on would have 40 MB.
    expect((await usedMemory()) - before).toBeLessThan(16_000_000)
    expect(bridge.relay.circuits()).toHaveLength(1)
  })

  it('is bounded in memory for many hostile pairs, and is given back', async () => {
    const bridge = await bench.startBridge()
    await liftLimits(bridge)
    const pairs = 32
    const token = await unlimitedToken(bridge)
    const start = async (count: number): Promise<() => Promise<unknown>> => {
      const child = fork(new URL('test-flood.ts', import.meta.url), [String(count)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
      bench.cleanups.push(() => void child.kill('SIGKILL'))
      const started = once(child, 'message')
      child.send({ url: bridge.url, bridgePeer: bridge.peer, token, address: bridge.addresses[0] })
      expect(await started).toEqual(['flooding', undefined])
      return () => {
        const exited = once(child, 'exit')
        child.kill('SIGKILL')
        return exited
      }
    }
    // Once for the code to be compiled and for tables to have their size.
    await (
      await start(2)
    )()
    await eventually(() => expect(holdings(bridge)['connections']).toBe(0))
    const before = await usedMemory()
    const stop = await start(pairs)
    await eventually(() => expect(bridge.relay.circuits()).toHaveLength(pairs))
    await mostHeld(bridge, standsStill(bridge))
    // The two connections of a pair, their session and their streams cost about 100 KB beside.
    expect((await usedMemory()) - before).toBeLessThanOrEqual(pairs * (MAX_HELD_BYTES + 150_000))
    await stop()
    await eventually(() => expect(holdings(bridge)).toEqual({ connections: 0, streams: 0, circuits: 0, reachable: 0 }))
    expect((await usedMemory()) - before).toBeLessThan(3_000_000)
  })
})

describe('the ends of a circuit', { timeout: 60_000 }, () => {
  it.each([
    ['caller', 'destination'],
    ['destination', 'caller'],
  ])('a half-close by the %s reaches the %s after the last byte, and the other direction stays open', async (first) => {
    const { bridge, alice, bob } = await startTrio()
    const { near, far } = await openCircuit(bob, alice)
    const [early, late] = first === 'caller' ? [near, far] : [far, near]
    const received = { early: 0, late: 0 }
    early.addEventListener('message', ({ data }) => (received.early += data.byteLength))
    late.addEventListener('message', ({ data }) => (received.late += data.byteLength))
    far.resume()
    early.send(new Uint8Array(300_000))
    await early.close()
    await eventually(() => expect([late.remoteWriteStatus, received.late]).toEqual(['closed', 300_000]))
    late.send(new Uint8Array(200_000))
    await eventually(() => expect(received.early).toBe(200_000))
    expect(bridge.relay.circuits()).toHaveLength(1)
    await late.close()
    await eventually(() => expect(holdings(bridge)).toMatchObject({ circuits: 0, streams: 0, reachable: 1 }))
  })

  it.each(['caller', 'destination'])('a reset by the %s reaches the other end, with or without bytes under way', async (who) => {
    const { bridge, alice, bob } = await startTrio()
    for (const busy of [false, true]) {
      const { near, far } = await openCircuit(bob, alice)
      if (busy) {
        near.pause()
        flood(near)
        flood(far)
        await mostHeld(bridge, standsStill(bridge))
      }
      const [one, other] = who === 'caller' ? [near, far] : [far, near]
      one.abort(new Error('enough'))
      await eventually(() => expect(other.status).toBe('reset'))
      await eventually(() => expect(holdings(bridge)).toMatchObject({ circuits: 0, streams: 0 }))
    }
  })

  it.each(['caller', 'destination'])('when the connection of the %s breaks, the other end is reset', async (who) => {
    const { bridge, alice, bob } = await startTrio()
    const { near, far } = await openCircuit(bob, alice)
    const [leaver, other] = who === 'caller' ? [bob, far] : [alice, near]
    leaver.connection.abort(new Error('gone'))
    await eventually(() => expect(other.status).toBe('reset'))
    await eventually(() => expect(holdings(bridge)).toMatchObject({ circuits: 0, streams: 0, connections: 1 }))
  })
})

/** How far somebody comes before they leave. */
type Leave = (stream: Stream, peer: RawPeer) => void
const leaving: readonly [string, Leave][] = [
  ['resets the stream', (stream) => stream.abort(new Error('gone'))],
  ['breaks the connection', (_stream, { connection }) => connection.abort(new Error('gone'))],
  ['ends the stream', (stream) => void stream.close().catch(() => {})],
]

describe('a bridge whose peers leave at every step', { timeout: 60_000 }, () => {
  const half = (bytes: Uint8Array): Uint8Array => bytes.slice(0, Math.ceil(bytes.length / 2))

  it.each(leaving)('keeps nothing of a caller who %s', async (_, leave) => {
    const { bridge, alice } = await startTrio()
    const stops: Stream[] = []
    await alice.node.handle(STOP_PROTOCOL, (stream) => void stops.push(stream), { maxInboundStreams: 100 })
    const messages = [framed(encodeHopMessage({ type: 'RESERVE' })), framed(encodeHopMessage(connectTo(alice)))]
    const steps: ((stream: Stream) => Promise<void>)[] = [
      async () => {},
      ...messages.map((message) => async (stream: Stream) => void stream.send(half(message))),
      ...messages.map((message) => async (stream: Stream) => void stream.send(message)),
      // During STOP: the destination has been asked and says nothing.
      async (stream) => {
        const asked = stops.length
        stream.send(messages[1]!)
        await eventually(() => expect(stops.length).toBeGreaterThan(asked))
      },
    ]
    for (const step of steps) {
      const caller = await startRawPeer(bench, bridge)
      const stream = await caller.connection.newStream(HOP_PROTOCOL)
      await step(stream)
      leave(stream, caller)
      for (const stop of stops.splice(0)) if (stop.status === 'open') stop.abort(new Error('asked in vain'))
      await eventually(() => expect(holdings(bridge)['circuits']).toBe(0))
      caller.connection.abort(new Error('the step is over'))
    }
    for (const stop of stops) stop.abort(new Error('asked in vain'))
    // Alice's and Bob's connections.
    await eventually(() => expect(holdings(bridge)).toEqual({ connections: 2, streams: 0, circuits: 0, reachable: 1 }))
    await served(bench, bridge, alice)
  })

  it.each(leaving)('tells the caller of a destination who %s, and keeps nothing', async (_, leave) => {
    const bridge = await bench.startBridge()
    const ok = framed(encodeStopMessage({ type: 'STATUS', status: STATUS.OK }))
    const steps: ((stream: Stream) => void | Promise<void>)[] = [
      () => {},
      async (stream) => void (await once(stream as unknown as EventTarget, 'message')),
      async (stream) => {
        await once(stream as unknown as EventTarget, 'message')
        stream.send(half(ok))
      },
      async (stream) => {
        await once(stream as unknown as EventTarget, 'message')
        stream.send(ok)
      },
    ]
    const bob = await startRawPeer(bench, bridge)
    for (const [index, step] of steps.entries()) {
      const alice = await startRawPeer(bench, bridge, { name: 'Alice' })
      await reserve(alice)
      await alice.node.handle(STOP_PROTOCOL, async (stream) => {
        await step(stream)
        leave(stream, alice)
      })
      const { reply, stream } = await askHop(bob.connection, connectTo(alice))
      // Once it has said yes the caller may have been told so already; then the circuit ends as circuits do.
      if (index < 3) expect(reply.status).toBe(STATUS.CONNECTION_FAILED)
      await stream.close().catch(() => {})
      await eventually(() => expect(holdings(bridge)['circuits']).toBe(0))
      alice.connection.abort(new Error('the step is over'))
    }
    await eventually(() => expect(holdings(bridge)).toEqual({ connections: 1, streams: 0, circuits: 0, reachable: 0 }))
  })

  it('has as many timers and sockets afterwards as before', async () => {
    const bridge = await bench.startBridge()
    const resources = (): Record<string, number> => {
      const counts: Record<string, number> = { Timeout: 0, TCPSocketWrap: 0 }
      for (const name of process.getActiveResourcesInfo()) if (name in counts) counts[name] = (counts[name] ?? 0) + 1
      return counts
    }
    const before = resources()
    const peers: RawPeer[] = []
    for (let index = 0; index < 4; index++) {
      const [alice, bob] = [await startRawPeer(bench, bridge, { name: 'Alice', by: 'ws' }), await startRawPeer(bench, bridge)]
      await reserve(alice)
      const { near, far } = await openCircuit(bob, alice)
      flood(near)
      if (index % 2 === 0) far.resume()
      peers.push(alice, bob)
    }
    for (const { connection } of peers) connection.abort(new Error('gone'))
    for (const { node } of peers) await node.stop()
    await eventually(() => expect(holdings(bridge)).toEqual({ connections: 0, streams: 0, circuits: 0, reachable: 0 }))
    // The login's keep-alive sockets are fetch's, and end some seconds later.
    await eventually(() => expect(resources()['TCPSocketWrap']).toBeLessThanOrEqual((before['TCPSocketWrap'] ?? 0) + 2))
    await eventually(() => expect(resources()['Timeout']).toBeLessThanOrEqual((before['Timeout'] ?? 0) + 2))
  })
})
