/** A listening node under the watch of liveness, with the sweeps of two seconds made short, and stock peers over TCP. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { randomBytes } from 'node:crypto'
import type { Connection, Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createLiveness } from './liveness.ts'

/** A hundredth of the real one: what takes 20 s there takes 200 ms here. */
const SWEEP_MS = 20
const cleanups: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface Watched {
  readonly bridge: Libp2p
  readonly alice: Libp2p
  readonly connection: Connection
  /** Nothing passes any more, either way, and no socket closes: a cable was pulled, or the peer's process was stopped. */
  readonly freeze: () => void
  /** What the bridge sends does not arrive; what it is sent does. */
  readonly mute: () => void
}

async function startWatched(withPing: boolean): Promise<Watched> {
  const stack = { connectionEncrypters: [noise()], streamMuxers: [yamux()], connectionMonitor: { enabled: false } }
  const bridge: Libp2p = await createLibp2p({
    ...stack,
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionGater: {
      denyInboundUpgradedConnection: (_peer, connection) => {
        liveness.watch(connection)
        return false
      },
    },
    start: false,
  })
  const liveness = createLiveness({ connections: () => bridge.getConnections(), randomBytes, sweepMs: SWEEP_MS })
  await bridge.start()
  liveness.start()
  const [port] = bridge.getMultiaddrs().map((address) => Number(address.getComponents().find(({ name }) => name === 'tcp')?.value))
  const pairs: [Socket, Socket][] = []
  const tunnel = createServer((near) => {
    const far = connect(port!, '127.0.0.1')
    for (const socket of [near, far]) socket.on('error', () => {})
    near.pipe(far).pipe(near)
    pairs.push([near, far])
  })
  await once(tunnel.listen(0, '127.0.0.1'), 'listening')
  const alice: Libp2p = await createLibp2p({ ...stack, transports: [tcp()], ...(withPing && { services: { ping: ping() } }) })
  cleanups.push(
    () => {
      tunnel.close()
    },
    () => pairs.flat().forEach((socket) => socket.destroy()),
    () => bridge.stop(),
    () => liveness.stop(),
    () => alice.stop(),
    () => [...alice.getConnections(), ...bridge.getConnections()].forEach((each) => each.abort(new Error('the test is over'))),
  )
  await alice.dial(multiaddr(`/ip4/127.0.0.1/tcp/${(tunnel.address() as AddressInfo).port}`))
  const connection = await vi.waitFor(() => bridge.getConnections()[0] ?? Promise.reject(new Error('none')), { interval: 5 })
  const freeze = (): void => {
    for (const [near, far] of pairs) {
      near.unpipe(far).pause()
      far.unpipe(near).pause()
    }
  }
  const mute = (): void => {
    for (const [near, far] of pairs) far.unpipe(near).pause()
  }
  return { bridge, alice, connection, freeze, mute }
}

describe('liveness', () => {
  it('cuts a connection whose peer has stopped, after ten sweeps of silence', async () => {
    const { connection, freeze } = await startWatched(true)
    freeze()
    const startedAt = performance.now()
    await once(connection as unknown as EventTarget, 'close')
    expect(performance.now() - startedAt).toBeGreaterThan(7 * SWEEP_MS)
    expect(connection.status).toBe('aborted')
  })

  it.each([
    [true, 'answers pings'],
    [false, 'does not know the ping protocol and says so'],
  ])('keeps an idle connection whose peer (ping %s) %s', async (withPing) => {
    const { bridge, connection, alice } = await startWatched(withPing)
    // A second peer that is stopped tells when long enough has passed.
    const { connection: dead, freeze } = await startWatched(true)
    freeze()
    await once(dead as unknown as EventTarget, 'close')
    expect([connection.status, bridge.getConnections().length, alice.getConnections().length]).toEqual(['open', 1, 1])
  })

  it('keeps a busy connection whose pings go unanswered, for any byte is a sign of life', async () => {
    const { bridge, connection, alice, mute } = await startWatched(true)
    await bridge.handle('/sink/1', () => {})
    const stream = await alice.getConnections()[0]!.newStream('/sink/1')
    mute()
    const busy = setInterval(() => stream.send(new Uint8Array(100)), SWEEP_MS)
    const { connection: dead, freeze } = await startWatched(true)
    freeze()
    await once(dead as unknown as EventTarget, 'close')
    clearInterval(busy)
    expect(connection.status).toBe('open')
    // Once it is idle as well, it is as good as dead.
    await once(connection as unknown as EventTarget, 'close')
  })
})
