/**
 * What takes as long as the bridge's own deadlines: a link that dies without a word while a circuit runs over it (a cable pulled, a machine asleep), and a
 * destination that never answers. Run by `npm test`. Why a busy link is never cut: node/liveness.test.ts.
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, expect, it } from 'vitest'
import { createBench } from '../test-bridge.ts'
import { askHop, connectTo, eventually, holdings, openCircuit, reserve, served, startRawPeer, type RawPeer } from '../test-raw-peers.ts'
import { STATUS, STOP_PROTOCOL } from './wire.ts'

const NOTICED_MS = 20_000
const bench = createBench()
afterEach(() => bench.end())

/** A way to the bridge that can be cut without either side hearing of it. */
async function startCable(port: number): Promise<{ port: number; cut: () => void }> {
  const sockets: Socket[] = []
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    for (const socket of [near, far]) socket.on('error', () => {})
    near.pipe(far).pipe(near)
    sockets.push(near, far)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  bench.cleanups.push(
    () => void server.close(),
    () => {
      for (const socket of sockets) socket.destroy()
    },
  )
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => {
      for (const socket of sockets) socket.unpipe().pause()
    },
  }
}

it('resets the other end of a circuit within 20 s of the link going dead, over TCP and over WebSocket', { timeout: 60_000 }, async () => {
  const bridge = await bench.startBridge()
  const p2pPort = Number(/\/tcp\/(\d+)/.exec(bridge.addresses[0] ?? '')?.[1])
  await Promise.all(
    (['tcp', 'ws'] as const).map(async (by) => {
      const cable = await startCable(by === 'tcp' ? p2pPort : bridge.port)
      const alice = await startRawPeer(bench, bridge, { name: 'Alice', by })
      const address = `/ip4/127.0.0.1/tcp/${cable.port}${by === 'ws' ? '/ws' : ''}/p2p/${bridge.peer}`
      alice.connection.abort(new Error('over the cable instead'))
      await eventually(() => expect(alice.node.getConnections()).toEqual([]))
      const wired: RawPeer = { node: alice.node, connection: await alice.node.dial(multiaddr(address)) }
      await reserve(wired)
      const bob = await startRawPeer(bench, bridge)
      const { near } = await openCircuit(bob, wired)
      cable.cut()
      const startedAt = performance.now()
      await once(near as unknown as EventTarget, 'close')
      expect(near.status).toBe('reset')
      // A sweep's length more, and the machine is busy.
      expect(performance.now() - startedAt).toBeLessThan(NOTICED_MS + 4_000)
    }),
  )
  // Both callers are still here; nobody is reachable.
  await eventually(() => expect(holdings(bridge)).toEqual({ connections: 2, streams: 0, circuits: 0, reachable: 0 }))
})

it('tells a caller of a destination that never answers, in ten seconds, and serves others meanwhile', { timeout: 60_000 }, async () => {
  const bridge = await bench.startBridge()
  const [alice, bob] = [await startRawPeer(bench, bridge, { name: 'Alice' }), await startRawPeer(bench, bridge)]
  await reserve(alice)
  await alice.node.handle(STOP_PROTOCOL, () => {}, { maxInboundStreams: 100 })
  const startedAt = performance.now()
  const waiting = Promise.all(Array.from({ length: 8 }, () => askHop(bob.connection, connectTo(alice))))
  const charlie = await startRawPeer(bench, bridge, { name: 'Charlie' })
  await reserve(charlie)
  await served(bench, bridge, charlie)
  expect(performance.now() - startedAt).toBeLessThan(9_000)
  for (const { reply, stream } of await waiting) {
    expect(reply.status).toBe(STATUS.CONNECTION_FAILED)
    stream.abort(new Error('done'))
  }
  expect(performance.now() - startedAt).toBeLessThan(13_000)
  await eventually(() => expect(bridge.relay.circuits()).toEqual([]))
})
