/**
 * A whole bridge on ports of its own, as a browser and a native peer meet it: nothing of ours on their side but the login's bytes.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { identify, type Identify } from '@libp2p/identify'
import type { Libp2p, PrivateKey } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping, type Ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { encodeLoginStatement, type BridgeAnswer, type SessionAnswer } from '@footbridge/shared/login'
import { base64urlEncode } from '@footbridge/shared/text-codec'
import { createMemoryStorage } from '@footbridge/storage/memory/memory-storage'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { WebSocket } from 'ws'
import { createBridge, type RunningBridge } from './bridge.ts'
import { readConfig } from './config.ts'
import { createLog } from './telemetry/log.ts'

const cleanups: (() => Promise<unknown> | void)[] = []
let dataDir: string
let bridge: RunningBridge
let token: string

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'footbridge-bridge-'))
  const made = createBridge(readConfig({ port: '0', dataDir }, {}), {
    storage: createMemoryStorage(),
    log: createLog({ level: 'silent' }),
    clock: Date.now,
    randomBytes,
    version: '0.0.0',
  })
  cleanups.push(
    () => rm(dataDir, { recursive: true }),
    () => made.stop(),
  )
  bridge = await made.start()
  token = (await bridge.tokens.ensureFirst())!.token
})

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

async function login(key: PrivateKey, name: string): Promise<SessionAnswer> {
  const { peer } = (await (await fetch(`${bridge.url}/api/v1/bridge`)).json()) as BridgeAnswer
  const [nonce, timestamp] = [randomBytes(16), Date.now()]
  const tokenHash = createHash('sha256').update(token).digest()
  const statement = encodeLoginStatement({
    bridge: peerIdFromString(peer).toMultihash().bytes,
    credential: 'token',
    tokenHash,
    timestamp,
    nonce,
  })
  const response = await fetch(`${bridge.url}/api/v1/sessions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      credential: { kind: 'token', token },
      publicKey: base64urlEncode(publicKeyToProtobuf(key.publicKey)),
      timestamp,
      nonce: base64urlEncode(nonce),
      signature: base64urlEncode(await key.sign(statement)),
      name,
    }),
  })
  expect(response.status).toBe(201)
  return (await response.json()) as SessionAnswer
}

type Peer = Libp2p<{ ping: Ping }>

async function startNode(options: Parameters<typeof createLibp2p>[0]): Promise<Peer> {
  const node = await createLibp2p<{ ping: Ping; identify: Identify }>({
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), ping: ping() },
    ...(options as object),
  })
  cleanups.push(() => {
    for (const connection of node.getConnections()) connection.abort(new Error('the test is over'))
    return node.stop()
  })
  return node
}

/** The stack of a browser. */
async function startBrowser(name: string): Promise<{ node: Peer; session: SessionAnswer }> {
  const privateKey = await generateKeyPair('Ed25519')
  const session = await login(privateKey, name)
  const listen = [`${session.firstHops[0]!}/p2p-circuit`]
  return { session, node: await startNode({ privateKey, addresses: { listen }, transports: [webSockets(), circuitRelayTransport()] }) }
}

const startNative = (listen: string[] = []): Promise<Peer> =>
  startNode({ addresses: { listen }, transports: [tcp(), circuitRelayTransport()] })
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

  it('ends session, reservation, circuits and sockets of a revoked token within a second', async () => {
    const { node: alice, session } = await startBrowser('Alice')
    const bob = await startNative()
    const circuit = await bob.dial(multiaddr(circuitTo(alice.peerId.toString())))
    const [socket] = alice.getConnections(peerIdFromString(bridge.peer))
    await bridge.tokens.revoke(session.token.id)
    await eventually(() => expect([socket!.status === 'open', circuit.status === 'open']).toEqual([false, false]), 1_000)
    expect([bridge.registry.list(), bridge.relay.circuits(), bridge.relay.hasReservation(alice.peerId)]).toEqual([[], [], false])
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
    await cleanups[1]!()
    expect(performance.now() - startedAt).toBeLessThan(4_000)
    await eventually(() => expect(socket!.status).not.toBe('open'))
    await expect(fetch(`${bridge.url}/healthz`)).rejects.toThrow()
  })
})
