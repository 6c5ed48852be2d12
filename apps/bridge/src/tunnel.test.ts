/**
 * The HTTPS tunnel as a whole: a bridge, a client in Node, and between them a proxy that loses, doubles, holds back and cuts. Rules T of
 * packages/shared/src/tunnel/SPEC.md.
 */
import { randomBytes } from 'node:crypto'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, Ed25519PrivateKey, Stream } from '@libp2p/interface'
import { webSockets } from '@libp2p/websockets'
import { tunnel } from '@footbridge/protocols/tunnel/tunnel-transport'
import type { SessionAnswer } from '@footbridge/shared/login'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createBench, signLogin, type Bench, type Peer, type TestBridge } from './test-bridge.ts'
import { startHostileProxy, type HostileProxy, type Mischief } from './test-hostile-proxy.ts'

let bench: Bench
beforeEach(() => {
  bench = createBench()
})
afterEach(() => bench.end())

interface Client {
  readonly node: Peer
  readonly session: SessionAnswer
  /** The tunnel's address through the proxy. */
  readonly address: string
}

const eventually = <Value>(check: () => Value | Promise<Value>): Promise<Value> => vi.waitFor(check, { timeout: 10_000, interval: 5 })

async function logIn(bridge: TestBridge, origin: string, key: Ed25519PrivateKey): Promise<SessionAnswer> {
  const response = await fetch(`${origin}/api/v1/sessions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(await signLogin(bridge.peer, key, bridge.token)),
  })
  return (await response.json()) as SessionAnswer
}

async function startProxy(bridge: TestBridge): Promise<HostileProxy> {
  const proxy = await startHostileProxy(bridge.port)
  bench.cleanups.push(() => proxy.stop())
  return proxy
}

const tunnelIn = (session: SessionAnswer): string => session.firstHops.find((hop) => hop.includes('/http-path/')) ?? ''

/** Logged in through the proxy; its node speaks tunnels alone. */
async function startClient(
  bridge: TestBridge,
  proxy: Pick<HostileProxy, 'origin'>,
  options: { accessToken?: string } = {},
): Promise<Client> {
  const privateKey = await generateKeyPair('Ed25519')
  const session = await logIn(bridge, proxy.origin, privateKey)
  const transports = [tunnel({ accessToken: () => options.accessToken ?? session.accessToken }), circuitRelayTransport()]
  const node = await bench.startNode({ privateKey, transports, connectionMonitor: { enabled: false } })
  return { node, session, address: tunnelIn(session) }
}

const ECHO = '/test/echo/1.0.0'

/** A peer behind the bridge that a client reaches by a circuit, and that gives back what it gets. */
async function startEcho(bridge: TestBridge): Promise<string> {
  const { node, session } = await bench.startBrowser(bridge, 'echo')
  await node.handle(
    ECHO,
    (stream) => {
      stream.addEventListener('message', ({ data }) => {
        if (!stream.send(data.subarray().slice())) {
          stream.pause()
          stream.addEventListener('drain', () => stream.resume(), { once: true })
        }
      })
      stream.addEventListener('remoteCloseWrite', () => void stream.close())
    },
    { runOnLimitedConnection: true },
  )
  await eventually(() => expect(node.getMultiaddrs().some((address) => address.toString().includes('/p2p-circuit'))).toBe(true))
  return session.peer
}

/** Sends `bytes` bytes to the echo over the bridge's relay, and reads them back. */
async function roundTrip(client: Client, echo: string, bytes: number): Promise<void> {
  const circuit = await client.node.dial(multiaddr(`/p2p/${client.session.bridge.peer}/p2p-circuit/p2p/${echo}`))
  const stream = await circuit.newStream(ECHO, { runOnLimitedConnection: true })
  const sent = randomBytes(bytes)
  const received: Uint8Array[] = []
  let count = 0
  const whole = new Promise<void>((resolve, reject) => {
    stream.addEventListener('message', ({ data }) => {
      received.push(data.subarray())
      count += data.byteLength
      if (count >= bytes) resolve()
    })
    stream.addEventListener('close', ({ error }) => reject(error ?? new Error(`closed after ${count} bytes`)))
  })
  await Promise.all([whole, sendAll(stream, sent)])
  expect(Buffer.concat(received).equals(sent)).toBe(true)
  await stream.close()
}

async function sendAll(stream: Stream, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; at += 64 * 1024)
    if (!stream.send(bytes.subarray(at, at + 64 * 1024)))
      await new Promise((resolve) => stream.addEventListener('drain', resolve, { once: true }))
}

const isTunnel =
  (part: string, mischief: Mischief) =>
  (request: { url?: string | undefined }): Mischief =>
    request.url?.includes(`/${part}`) === true ? mischief : {}

// Whole nodes and megabytes through a relay: seconds on a busy machine.
describe('the HTTPS tunnel', { timeout: 30_000 }, () => {
  test('T3, T4, T5: carries a libp2p connection that is bound to the session, streamed down', async () => {
    const bridge = await bench.startBridge()
    const proxy = await startProxy(bridge)
    const client = await startClient(bridge, proxy)
    const connection = await client.node.dial(multiaddr(client.address))
    expect(connection.remotePeer.toString()).toBe(bridge.peer)
    expect(await client.node.services.ping.ping(connection.remotePeer)).toBeGreaterThanOrEqual(0)
    expect(bridge.registry.get(client.session.peer)?.state).toBe('connected')
    await roundTrip(client, await startEcho(bridge), 3_000_000)
    expect(proxy.counts.get('GET down')).toBe(1)
    // The poll of the first moment, and no more.
    expect(proxy.counts.get('POST poll')).toBeLessThan(8)
    expect(proxy.maxOpen()).toBeLessThanOrEqual(4)
  })

  test('T8: a proxy that holds streams back costs no time at the dial, and is polled from then on', async () => {
    const bridge = await bench.startBridge()
    const proxy = await startProxy(bridge)
    const client = await startClient(bridge, proxy)
    proxy.behave(isTunnel('', { holdsAnswer: true }))
    const startedAt = performance.now()
    const connection = await client.node.dial(multiaddr(client.address))
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    await roundTrip(client, await startEcho(bridge), 1_000_000)
    await eventually(() => expect(proxy.open()).toBeLessThanOrEqual(1))
    const polls = proxy.counts.get('POST poll') ?? 0
    expect(await client.node.services.ping.ping(connection.remotePeer)).toBeGreaterThanOrEqual(0)
    expect(proxy.counts.get('POST poll')).toBeGreaterThan(polls)
    expect(proxy.counts.get('GET down')).toBe(1)
  })

  test.each<[string, (request: { url?: string | undefined }, index: number) => Mischief]>([
    ['requests are lost', (_request, index) => ({ losesRequest: index % 5 === 2 })],
    ['answers are lost', (request, index) => ({ losesAnswer: index % 5 === 2 && request.url?.includes('/down') !== true })],
    ['requests arrive twice', (request) => ({ doubles: request.url?.includes('/up') === true })],
    ['requests overtake each other', (request, index) => ({ delayMs: request.url?.includes('/up') === true ? (index % 2) * 15 : 0 })],
    ['streams are cut', (request) => (request.url?.includes('/down') === true ? { cutsAnswerAt: 100_000 } : {})],
    [
      'streams are held back and a third of the polls is lost',
      (request, index) => ({ holdsAnswer: true, losesAnswer: request.url?.includes('/poll') === true && index % 3 === 0 }),
    ],
    [
      'every seventh answer is a page of the proxy',
      (_request, index) => (index % 7 === 3 ? { madeUpAnswer: '<!DOCTYPE html><title>Accept the terms</title>' } : {}),
    ],
  ])('T4 to T11: a megabyte goes both ways whole though %s', async (_name, how) => {
    const bridge = await bench.startBridge()
    const proxy = await startProxy(bridge)
    const echo = await startEcho(bridge)
    const client = await startClient(bridge, proxy)
    proxy.behave(how)
    await client.node.dial(multiaddr(client.address))
    await roundTrip(client, echo, 1_000_000)
    expect(client.node.getConnections().filter(({ remoteAddr }) => !remoteAddr.toString().includes('p2p-circuit'))).toHaveLength(1)
  })

  test('a peer on a tunnel is a virtual peer like any other: it reserves, and native peers reach it', async () => {
    const bridge = await bench.startBridge()
    const client = await startClient(bridge, await startProxy(bridge))
    await client.node.dial(multiaddr(client.address))
    const { transportManager } = (
      client.node as unknown as { components: { transportManager: { listen(addrs: unknown[]): Promise<void> } } }
    ).components
    // Without the tunnel's address, which libp2p does not take for one that a relay can have.
    await transportManager.listen([multiaddr(`/p2p/${bridge.peer}/p2p-circuit`)])
    await eventually(() => expect(bridge.registry.get(client.session.peer)?.state).toBe('reachable'))
    const native = await bench.startNative()
    const connection = await native.dial(multiaddr(`${bridge.addresses[0]}/p2p-circuit/p2p/${client.session.peer}`))
    expect(connection.remotePeer.toString()).toBe(client.session.peer)
  })

  test('T10: a line that was cut for a moment is no end', async () => {
    const bridge = await bench.startBridge()
    const proxy = await startProxy(bridge)
    const client = await startClient(bridge, proxy)
    const connection = await client.node.dial(multiaddr(client.address))
    for (let round = 0; round < 3; round++) {
      proxy.cut()
      expect(await client.node.services.ping.ping(connection.remotePeer)).toBeGreaterThanOrEqual(0)
    }
    expect(connection.status).toBe('open')
  })

  test('T1, T2: nothing goes without the access token, and another’s tunnel is an unknown one', async () => {
    const bridge = await bench.startBridge()
    const base = `http://127.0.0.1:${bridge.port}/api/v1/tunnels`
    expect((await fetch(base, { method: 'POST' })).status).toBe(401)
    const [alice, bob] = await Promise.all(
      ['alice', 'bob'].map(async () => logIn(bridge, `http://127.0.0.1:${bridge.port}`, await generateKeyPair('Ed25519'))),
    )
    const as = (session: SessionAnswer | undefined): { headers: Record<string, string> } => ({
      headers: { authorization: `Bearer ${session?.accessToken}` },
    })
    const { id } = (await (await fetch(base, { method: 'POST', ...as(alice) })).json()) as { id: string }
    const down = `${base}/${id}/down?received=0&limit=1000&n=0`
    const statuses = async (init: RequestInit): Promise<number> => {
      const response = await fetch(down, init)
      await response.body?.cancel()
      return response.status
    }
    expect(await statuses(as(alice))).toBe(200)
    expect(await statuses(as(bob))).toBe(404)
    expect(await statuses({})).toBe(401)
    expect((await fetch(`${base}/${id}/up`, { method: 'POST', body: 'hello', ...as(alice) })).status).toBe(400)
    const preflight = await fetch(`${base}/${id}/up`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    })
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
    expect(preflight.headers.get('access-control-allow-headers')).toMatch(/authorization/i)
  })

  test('T3: whoever has another’s access token cannot be them, nor themselves, in that tunnel', async () => {
    const bridge = await bench.startBridge()
    const proxy = await startProxy(bridge)
    const alice = await startClient(bridge, proxy)
    const mallory = await startClient(bridge, proxy, { accessToken: alice.session.accessToken })
    // Noise lets the dialler speak last, so it may think for a moment that it is in.
    const ended = mallory.node.dial(multiaddr(mallory.address)).then(
      (connection) => eventually(() => expect(connection.status).not.toBe('open')),
      () => undefined,
    )
    await ended
    expect(bridge.registry.get(alice.session.peer)?.state).toBe('admitted')
    expect(bridge.registry.get(mallory.session.peer)?.state).toBe('admitted')
  })

  test('T12: a session that ends takes its tunnel with it within a second, and the client knows', async () => {
    const bridge = await bench.startBridge()
    const proxy = await startProxy(bridge)
    const client = await startClient(bridge, proxy)
    const connection = await client.node.dial(multiaddr(client.address))
    const closed = new Promise((resolve) => connection.addEventListener('close', resolve, { once: true }))
    const startedAt = performance.now()
    bridge.registry.end(client.session.peer, 'revoked')
    await closed
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    await eventually(() => expect(proxy.open()).toBe(0))
  })

  test('a client that closes is gone at the bridge, and leaves no request behind', async () => {
    const bridge = await bench.startBridge()
    const proxy = await startProxy(bridge)
    const client = await startClient(bridge, proxy)
    const connection: Connection = await client.node.dial(multiaddr(client.address))
    await connection.close()
    await eventually(() => expect(bridge.registry.get(client.session.peer)?.state).toBe('admitted'))
    await eventually(() => expect(proxy.open()).toBe(0))
    const second = await client.node.dial(multiaddr(client.address))
    second.abort(new Error('the tab was closed'))
    await eventually(() => expect(bridge.registry.get(client.session.peer)?.state).toBe('admitted'))
  })

  test('a client that knows no tunnels dials the WebSocket of the same login', async () => {
    const bridge = await bench.startBridge()
    const key = await generateKeyPair('Ed25519')
    const session = await logIn(bridge, `http://127.0.0.1:${bridge.port}`, key)
    expect(tunnelIn(session)).toBe(`/ip4/127.0.0.1/tcp/${bridge.port}/http/http-path/api%2Fv1%2Ftunnels/p2p/${bridge.peer}`)
    const node = await bench.startNode({ privateKey: key, transports: [webSockets()] })
    const connection = await node.dial(session.firstHops.map((hop) => multiaddr(hop)))
    expect(connection.remoteAddr.toString()).toContain('/ws')
  })
})
