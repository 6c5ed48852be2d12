/**
 * A whole bridge on ports of its own, as a browser and a native peer meet it: nothing of ours on their side but the login's bytes.
 */
import { setTimeout as after } from 'node:timers/promises'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import type { SessionAnswer } from '@footbridge/shared/login'
import { createBench, type Peer, type TestBridge } from './test-bridge.ts'

const bench = createBench()
const { cleanups, startNative } = bench
let bridge: TestBridge

beforeEach(async () => {
  bridge = await bench.startBridge()
})
afterEach(() => bench.end())

const startBrowser = (name: string, firstHop?: string): Promise<{ node: Peer; session: SessionAnswer }> =>
  bench.startBrowser(bridge, name, firstHop)
const circuitTo = (peer: string): string => `${bridge.addresses[0]!}/p2p-circuit/p2p/${peer}`
const online = (): string[] => bridge.registry.list().flatMap((session) => (session.state === 'reachable' ? [session.name] : []))
const eventually = <Value>(check: () => Value, timeout = 5_000): Promise<Value> => vi.waitFor(check, { timeout, interval: 5 })

describe('a bridge', () => {
  it('makes a browser a peer that a native peer reaches by its circuit address alone', async () => {
    const { node: alice } = await startBrowser('Alice')
    expect(online()).toEqual(['Alice'])
    const bob = await startNative()
    const connection = await bob.dial(multiaddr(circuitTo(alice.peerId.toString())))
    expect(connection.remotePeer.equals(alice.peerId)).toBe(true)
    expect(await bob.services.ping.ping(alice.peerId)).toBeGreaterThanOrEqual(0)
    expect(bridge.relay.circuits()).toHaveLength(1)
  })

  it('gives no reservation without a session', async () => {
    await expect(startNative([`${bridge.addresses[0]!}/p2p-circuit`])).rejects.toThrow()
    expect(bridge.registry.list()).toEqual([])
  })

  it('relays nothing to a peer without a session', async () => {
    const [alice, bob] = [await startNative(), await startNative()]
    await alice.dial(multiaddr(bridge.addresses[0]!))
    await expect(bob.dial(multiaddr(circuitTo(alice.peerId.toString())))).rejects.toThrow()
  })

  it('lists who is here to whoever has a session, with the addresses to dial', async () => {
    const { session } = await startBrowser('Alice')
    const { node: bob } = await startBrowser('Bob')
    const url = `${bridge.url}/api/v1/peers`
    expect((await fetch(url)).status).toBe(401)
    const response = await fetch(url, { headers: { Authorization: `Bearer ${session.accessToken}` } })
    const answer = (await response.json()) as { peers: { addresses: string[] }[] }
    expect(answer).toMatchObject({ peers: [{ peer: bob.peerId.toString(), name: 'Bob', device: 'browser' }] })
    expect(answer.peers[0]!.addresses).toContain(circuitTo(bob.peerId.toString()))
  })

  it.each([
    ['is closed', (node: Peer) => node.stop()],
    // The stock client's abort says go-away and leaves the socket open.
    ['aborts', (node: Peer) => node.getConnections().forEach((connection) => connection.abort(new Error('done')))],
  ])('knows at once that a tab %s', async (_, end) => {
    const { node } = await startBrowser('Alice')
    const ended = end(node)
    await eventually(() => expect(online()).toEqual([]), 2_000)
    expect(bridge.registry.list()).toMatchObject([{ state: 'admitted' }])
    await ended
  })

  it('ends sessions, reservations, circuits and sockets of a revoked token’s devices within a second, though they do not help', async () => {
    const tunnel = await startTunnel()
    const browsers = [await startBrowser('Alice', tunnel.address), await startBrowser('Bob', tunnel.address)]
    const charlie = await startNative()
    const circuits = await Promise.all(browsers.map(({ node }) => charlie.dial(multiaddr(circuitTo(node.peerId.toString())))))
    expect([tunnel.sockets.length, bridge.relay.circuits().length, online().length]).toEqual([2, 2, 2])
    // Frozen devices: they answer no close frame.
    tunnel.freeze()
    const ended: string[] = []
    bridge.registry.subscribe(({ peer, after: session }) => void (session.state === 'ended' && ended.push(peer)))
    const events = [...tunnel.sockets, ...circuits] as unknown as EventTarget[]
    const gone = Promise.all(events.map((each) => once(each, 'close')))
    const inTime = Promise.race([gone, after(1_000).then(() => Promise.reject(new Error('not within a second')))])
    await bridge.tokens.revoke(browsers[0]!.session.token.id)
    expect(ended.sort()).toEqual(browsers.map(({ session }) => session.peer).sort())
    expect([bridge.registry.list(), browsers.map(({ node }) => bridge.relay.hasReservation(node.peerId))]).toEqual([[], [false, false]])
    await inTime
    expect(bridge.relay.circuits()).toEqual([])
  })

  it.each([
    [4001, 'the token was revoked', (session: SessionAnswer) => bridge.tokens.revoke(session.token.id)],
    [4002, 'the session has expired', async ({ peer }: SessionAnswer) => bridge.registry.end(peer, 'expired')],
    [4003, 'logged out', async ({ peer }: SessionAnswer) => bridge.registry.end(peer, 'logout')],
  ])('tells a browser by code %i that %s', async (code, reason, end) => {
    const { node, session } = await startBrowser('Alice')
    const closed = once(webSocketOf(node), 'close')
    await end(session)
    const [event] = (await closed) as [CloseEvent]
    expect([event.code, event.reason]).toEqual([code, reason])
  })

  it('writes down at its stop what it relayed', async () => {
    const { node: alice, session } = await startBrowser('Alice')
    const bob = await startNative()
    await bob.dial(multiaddr(circuitTo(alice.peerId.toString())))
    await bob.services.ping.ping(alice.peerId)
    const relayed = bridge.relay.circuits()[0]!.bytes
    await bridge.stop()
    const written = await bridge.storage.usage.get(session.token.id, new Date().toISOString().slice(0, 10))
    expect(written).toBeGreaterThanOrEqual(relayed)
    expect(relayed).toBeGreaterThan(500)
  })

  it('ends them at a logout too', async () => {
    const { node: alice, session } = await startBrowser('Alice')
    const [socket] = alice.getConnections(peerIdFromString(bridge.peer))
    const headers = { Authorization: `Bearer ${session.accessToken}` }
    expect((await fetch(`${bridge.url}/api/v1/sessions/current`, { method: 'DELETE', headers })).status).toBe(204)
    await eventually(() => expect(socket!.status).not.toBe('open'), 1_000)
    expect((await fetch(`${bridge.url}/api/v1/peers`, { headers })).status).toBe(401)
  })

  it.each(['/', '/libp2p'])('upgrades %s to libp2p', async (path) => {
    const socket = new WebSocket(`${bridge.url.replace('http', 'ws')}${path}`)
    cleanups.push(() => socket.terminate())
    const first = new Promise<Buffer>((resolve) => socket.once('message', resolve))
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    socket.send(Buffer.from('\x13/multistream/1.0.0\n', 'latin1'))
    expect((await first).toString('latin1')).toBe('\x13/multistream/1.0.0\n')
  })

  it.each(['/api/v1/peers', '/nothing'])('does not upgrade %s', async (path) => {
    const socket = new WebSocket(`${bridge.url.replace('http', 'ws')}${path}`)
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve))
    expect(error.message).toMatch(/Unexpected server response: 40[14]/)
  })

  it('says at its stop that it goes away, within seconds, and then listens nowhere', async () => {
    const { node } = await startBrowser('Alice')
    const [socket] = node.getConnections(peerIdFromString(bridge.peer))
    // A kept-alive socket must not hold it up.
    await (await fetch(`${bridge.url}/healthz`)).text()
    const startedAt = performance.now()
    await bridge.stop()
    expect(performance.now() - startedAt).toBeLessThan(4_000)
    await eventually(() => expect(socket!.status).not.toBe('open'))
    await expect(fetch(`${bridge.url}/healthz`)).rejects.toThrow()
  })
})

/** The socket below a stock client's connection to the bridge. */
function webSocketOf(node: Peer): EventTarget {
  const [connection] = node.getConnections(peerIdFromString(bridge.peer))
  return (connection as unknown as { maConn: { websocket: EventTarget } }).maConn.websocket
}

/** A TCP tunnel to the bridge, to see its side of each connection and to stop what comes from the other. */
async function startTunnel(): Promise<{ address: string; sockets: Socket[]; freeze: () => void }> {
  const pairs: { near: Socket; far: Socket }[] = []
  const server = createServer((near) => {
    const far = connect(bridge.port, '127.0.0.1')
    for (const socket of [near, far]) socket.on('error', () => {})
    near.pipe(far).pipe(near)
    pairs.push({ near, far })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  cleanups.push(() => {
    for (const socket of pairs.flatMap(({ near, far }) => [near, far])) socket.destroy()
    server.close()
  })
  return {
    address: `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}/ws/p2p/${bridge.peer}`,
    get sockets() {
      return pairs.map(({ far }) => far)
    },
    freeze() {
      for (const { near, far } of pairs) near.unpipe(far).pause()
    },
  }
}
