/**
 * The listener behind a bare node:http server and a ws server, dialled by stock clients: what the bridge does with it, without the bridge.
 */
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { identify } from '@libp2p/identify'
import type { Connection, Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { ping, type Ping } from '@libp2p/ping'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { UpgradedSocket } from './upgraded-socket.ts'
import {
  createWebSocketListener,
  DEFAULT_WEBSOCKET_LIMITS,
  type WebSocketListener,
  type WebSocketListenerLimits,
} from './websocket-listener.ts'

const cleanups: (() => Promise<unknown> | void)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface ServerUnderTest {
  readonly node: Libp2p<{ ping: Ping }>
  readonly listener: WebSocketListener
  readonly http: Server
  readonly tcpSockets: Set<Socket>
  readonly port: number
  readonly address: Multiaddr
}

async function startServer(limits: Partial<WebSocketListenerLimits> = {}): Promise<ServerUnderTest> {
  const http = createServer()
  const webSocketServer = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    clientTracking: false,
    WebSocket: UpgradedSocket,
  })
  const tcpSockets = new Set<Socket>()
  http.on('connection', (socket: Socket) => {
    tcpSockets.add(socket)
    socket.on('close', () => tcpSockets.delete(socket))
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const { port } = http.address() as AddressInfo
  const address = multiaddr(`/ip4/127.0.0.1/tcp/${port}/ws`)
  const listener = createWebSocketListener({ getAddrs: () => [address], limits: { ...DEFAULT_WEBSOCKET_LIMITS, ...limits } })
  http.on('upgrade', (request, socket, head) => {
    webSocketServer.handleUpgrade(request, socket, head, (webSocket) => {
      listener.accept(webSocket.framed, { address: String(request.headers['x-client'] ?? '127.0.0.1'), port: 4711 })
    })
  })
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
    transports: [listener.transport],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: { identify: identify(), ping: ping() },
  })
  cleanups.push(
    () => new Promise((resolve) => http.close(resolve)),
    () => http.closeAllConnections(),
    () => node.stop(),
  )
  return { node, listener, http, tcpSockets, port, address }
}

async function startClient(): Promise<Libp2p<{ ping: Ping }>> {
  const node = await createLibp2p({
    transports: [webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: { identify: identify(), ping: ping() },
  })
  cleanups.push(() => {
    for (const connection of node.getConnections()) connection.abort(new Error('the test is over'))
    return node.stop()
  })
  return node
}

const inbound = (server: ServerUnderTest): Promise<Connection> =>
  eventually(() => server.node.getConnections()[0] ?? Promise.reject(new Error('none')))
const eventually = <Value>(check: () => Value | Promise<Value>): Promise<Value> => vi.waitFor(check, { timeout: 25_000, interval: 5 })

// Whole nodes and megabytes: seconds on a busy machine.
describe('the WebSocket listener', { timeout: 30_000 }, () => {
  it('serves a stock libp2p client, both ways, under the address that it was told', async () => {
    const server = await startServer()
    const client = await startClient()
    const connection = await client.dial(server.address)
    expect(connection.remotePeer.equals(server.node.peerId)).toBe(true)
    expect(await client.services.ping.ping(server.node.peerId)).toBeGreaterThanOrEqual(0)
    expect(await server.node.services.ping.ping(client.peerId)).toBeGreaterThanOrEqual(0)
    expect((await inbound(server)).remoteAddr.toString()).toBe(`/ip4/127.0.0.1/tcp/4711/ws/p2p/${client.peerId.toString()}`)
  })

  it('carries ten megabytes each way unharmed', async () => {
    const server = await startServer()
    const client = await startClient()
    await server.node.handle('/echo/1', (stream) => {
      stream.addEventListener('message', ({ data }) => void stream.send(data.subarray().slice()))
      stream.addEventListener('remoteCloseWrite', () => void stream.close())
    })
    const stream = await (await client.dial(server.address)).newStream('/echo/1')
    const sent = Buffer.from(Array.from({ length: 10_000_000 }, (_, index) => (index * 7 + (index >> 9)) & 0xff))
    const received: Uint8Array[] = []
    stream.addEventListener('message', ({ data }) => received.push(data.subarray()))
    stream.send(sent)
    await stream.close()
    await eventually(() => expect(received.reduce((sum, { length }) => sum + length, 0)).toBe(sent.length))
    expect(Buffer.concat(received).equals(sent)).toBe(true)
  })

  it('closes the TCP socket at once when a connection is aborted, and the client knows', async () => {
    const server = await startServer()
    const client = await startClient()
    const connection = await client.dial(server.address)
    const startedAt = performance.now()
    ;(await inbound(server)).abort(new Error('revoked'))
    await eventually(() => expect([server.tcpSockets.size, server.listener.size, connection.status === 'open']).toEqual([0, 0, false]))
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    expect(server.node.getConnections()).toEqual([])
  })

  it('knows at once that a client closed, and that one vanished', async () => {
    const server = await startServer()
    for (const end of [(each: Connection) => each.close(), () => [...server.tcpSockets][0]!.destroy()]) {
      const client = await startClient()
      const connection = await client.dial(server.address)
      await inbound(server)
      await end(connection)
      await eventually(() => expect([server.node.getConnections().length, server.listener.size]).toEqual([0, 0]))
    }
  })

  it('closes politely with a code that is one, and cuts who does not answer', async () => {
    const server = await startServer()
    const client = await startClient()
    await client.dial(server.address)
    const [socket] = server.tcpSockets
    // The client's machine stops: nothing more is read from it.
    const connection = await inbound(server)
    socket!.pause()
    const startedAt = performance.now()
    await connection.close()
    await eventually(() => expect(server.tcpSockets.size).toBe(0))
    expect(performance.now() - startedAt).toBeLessThan(3_000)
  })

  it('makes the sender wait for a reader that does not read, and goes on when it does', async () => {
    const server = await startServer()
    const client = await startClient()
    await client.dial(server.address)
    const { maConn } = (await inbound(server)) as unknown as {
      maConn: { send(data: Uint8Array): boolean; addEventListener(type: 'drain', listener: () => void): void }
    }
    const [raw] = server.tcpSockets
    // Stand-in for a full network: the kernel takes nothing while the socket is corked.
    raw!.cork()
    let sends = 0
    while (maConn.send(new Uint8Array(64 * 1024)) && sends < 1_000) sends++
    expect(sends).toBeLessThan(10)
    const drained = new Promise<void>((resolve) => maConn.addEventListener('drain', resolve))
    raw!.uncork()
    await drained
  })

  it('stops reading from the socket while the connection is paused', async () => {
    const server = await startServer()
    const client = await startClient()
    await client.dial(server.address)
    const connection = (await inbound(server)) as unknown as { maConn: { pause(): void; resume(): void } }
    connection.maConn.pause()
    expect([...server.tcpSockets][0]!.isPaused()).toBe(true)
    connection.maConn.resume()
    expect(await client.services.ping.ping(server.node.peerId)).toBeGreaterThanOrEqual(0)
  })

  it('hangs up on text frames', async () => {
    const server = await startServer()
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}`)
    await new Promise((resolve) => socket.once('open', resolve))
    socket.send('hello')
    expect(await new Promise((resolve) => socket.once('close', resolve))).toBe(1003)
  })

  it('answers pings, and close frames with their own code', async () => {
    const server = await startServer()
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}`)
    await new Promise((resolve) => socket.once('open', resolve))
    const pong = new Promise<Buffer>((resolve) => socket.once('pong', resolve))
    socket.ping('are you there')
    expect((await pong).toString()).toBe('are you there')
    const closed = new Promise<number>((resolve) => socket.once('close', resolve))
    socket.close(4000, 'had enough')
    expect(await closed).toBe(4000)
    await eventually(() => expect([server.listener.size, server.tcpSockets.size]).toEqual([0, 0]))
  })

  it('cuts who ends the TCP connection without a word', async () => {
    const server = await startServer()
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}`)
    await new Promise((resolve) => socket.once('open', resolve))
    ;(socket as unknown as { _socket: Socket })._socket.end()
    await eventually(() => expect([server.listener.size, server.tcpSockets.size]).toEqual([0, 0]))
  })

  it('hangs up on who does not finish the handshake in time', async () => {
    const server = await startServer({ handshakeMs: 50 })
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}`)
    expect(await new Promise((resolve) => socket.once('close', resolve))).toBe(1006)
    await eventually(() => expect(server.listener.size).toBe(0))
  })

  it('hangs up on a dead link, and not on an idle one', async () => {
    const server = await startServer({ pingIntervalMs: 300, silenceMs: 2_000 })
    const idle = await startClient()
    await idle.dial(server.address)
    // A peer that completes the handshake and then neither reads nor writes, as after a cable was pulled.
    const dead = await startClient()
    await dead.dial(server.address)
    const deadConnection = await eventually(() => server.node.getConnections(dead.peerId)[0] ?? Promise.reject(new Error('none')))
    const deadSocket = [...server.tcpSockets].at(-1)!
    deadSocket.removeAllListeners('data')
    await eventually(() => expect(deadConnection.status).not.toBe('open'))
    expect(server.node.getConnections(idle.peerId)).toHaveLength(1)
  })

  it('takes no more sockets than its caps, per address and in all, and has room again afterwards', async () => {
    const server = await startServer({ maxUpgradingPerAddress: 2, maxUpgrading: 3 })
    const open = async (client: string): Promise<{ code: Promise<number>; socket: WebSocket }> => {
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}`, { headers: { 'x-client': client } })
      cleanups.push(() => socket.terminate())
      const code = new Promise<number>((resolve) => socket.once('close', resolve))
      await new Promise((resolve) => socket.once('open', resolve))
      return { code, socket }
    }
    const first = await open('192.0.2.1')
    await open('192.0.2.1')
    expect(server.listener.admits('192.0.2.1')).toBe(false)
    expect(await (await open('192.0.2.1')).code).toBe(1013)
    await open('192.0.2.2')
    expect(await (await open('192.0.2.3')).code).toBe(1013)
    first.socket.terminate()
    await eventually(() => expect(server.listener.admits('192.0.2.1')).toBe(true))
  })

  it('tells clients that it goes away, and leaves no socket', async () => {
    const server = await startServer()
    const client = await startClient()
    const connection = await client.dial(server.address)
    await server.node.stop()
    await eventually(() => expect([connection.status === 'open', server.listener.size]).toEqual([false, 0]))
    expect(server.listener.admits('127.0.0.1')).toBe(false)
  })

  it('is not there for plain TCP connections that never upgrade', async () => {
    const server = await startServer()
    const socket = connect(server.port, '127.0.0.1')
    cleanups.push(() => void socket.destroy())
    await new Promise((resolve) => socket.once('connect', resolve))
    expect(server.listener.size).toBe(0)
  })
})
