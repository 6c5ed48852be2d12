/**
 * The listener with its native server, dialled from Node. What a browser with the stock client makes of it: chromium.native.test.ts. Rules: SPEC.md.
 */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Connection, ConnectionGater, Libp2p, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { ping, type Ping } from '@libp2p/ping'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { NativeSession } from './binding.ts'
import { PERIOD_MS } from './certificate-calendar.ts'
import { startExample } from './example.ts'
import { hashesOf, nativeBinding, openSession, testDialer } from './test-dialer.ts'
import { startUdpLine } from './test-udp-line.ts'
import { createWebTransportListener, type WebTransportListener, type WebTransportListenerLimits } from './webtransport-listener.ts'

const cleanups: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
const eventually = <Value>(check: () => Value | Promise<Value>): Promise<Value> => vi.waitFor(check, { timeout: 8_000, interval: 5 })

interface ServerUnderTest {
  readonly node: Libp2p<{ ping: Ping }>
  readonly listener: WebTransportListener
  /** Fresh at each use, as a login gives it. */
  readonly address: () => Multiaddr
}

interface ServerOptions {
  readonly limits?: Partial<WebTransportListenerLimits>
  readonly gater?: ConnectionGater
  readonly now?: () => number
  readonly listen?: string
}

async function startServer({ limits = {}, gater = {}, now = Date.now, listen }: ServerOptions = {}): Promise<ServerUnderTest> {
  const listener = createWebTransportListener({ binding: nativeBinding(), secret: new Uint8Array(32).fill(7), limits, now })
  const node = await createLibp2p({
    addresses: { listen: [listen ?? '/ip4/127.0.0.1/udp/0/quic-v1/webtransport'] },
    transports: [listener.transport],
    connectionGater: gater,
    // Everybody here dials from one address.
    connectionManager: { inboundConnectionThreshold: 1_000, maxIncomingPendingConnections: 100 },
    connectionMonitor: { enabled: false },
    services: { identify: identify(), ping: ping() },
  })
  cleanups.push(() => node.stop())
  return { node, listener, address: () => node.getMultiaddrs()[0]! }
}

async function startClient(onSession?: (session: NativeSession) => void): Promise<Libp2p<{ ping: Ping }>> {
  const node = await createLibp2p({
    transports: [testDialer(onSession)],
    connectionEncrypters: [noise()],
    connectionMonitor: { enabled: false },
    services: { identify: identify(), ping: ping() },
  })
  cleanups.push(() => node.stop())
  return node
}

const inbound = (server: ServerUnderTest): Promise<Connection> =>
  eventually(() => server.node.getConnections()[0] ?? Promise.reject(new Error('none')))

async function send(stream: Stream, total: number, chunkBytes = 64 * 1024): Promise<void> {
  const chunk = new Uint8Array(chunkBytes)
  for (let sent = 0; sent < total; sent += chunkBytes)
    if (!stream.send(chunk.subarray(0, Math.min(chunkBytes, total - sent))))
      await new Promise<void>((resolve, reject) => {
        stream.addEventListener('drain', () => resolve(), { once: true })
        stream.addEventListener('close', () => reject(new Error('closed while sending')), { once: true })
      })
}

describe('the WebTransport listener', () => {
  it.each(['/ip4/127.0.0.1/udp/0/quic-v1/webtransport', '/ip6/::1/udp/0/quic-v1/webtransport'])(
    'H1 connects a peer that dials %s, and answers both ways',
    async (listen) => {
      const server = await startServer({ listen })
      const client = await startClient()
      const connection = await client.dial(server.address())
      expect(connection.remotePeer.equals(server.node.peerId)).toBe(true)
      expect(connection.multiplexer).toBe('/webtransport')
      expect(await client.services.ping.ping(server.node.peerId)).toBeGreaterThanOrEqual(0)
      expect(await server.node.services.ping.ping(client.peerId)).toBeGreaterThanOrEqual(0)
      expect(server.listener.sessions).toBe(1)
    },
  )

  it('H1 knows from where each of twenty clients comes that dial at once, and so does the gater', async () => {
    const asked: string[] = []
    const server = await startServer({
      gater: {
        denyInboundConnection: ({ remoteAddr }) => {
          asked.push(remoteAddr.toString())
          return false
        },
      },
    })
    const clients = await Promise.all(Array.from({ length: 20 }, () => startClient()))
    await Promise.all(clients.map((client) => client.dial(server.address())))
    await eventually(() => expect(server.node.getConnections()).toHaveLength(20))
    const seen = server.node.getConnections().map(({ remoteAddr }) => remoteAddr.toString().replace(/\/p2p\/.*/, ''))
    expect(new Set(seen).size).toBe(20)
    for (const address of seen) expect(address).toMatch(/^\/ip4\/127\.0\.0\.1\/udp\/[1-9]\d+\/quic-v1\/webtransport$/)
    expect(new Set(seen)).toEqual(new Set(asked))
  })

  it('C4 has an address with two hashes, on the port that it was given, and tells libp2p when it listens and when no more', async () => {
    const server = await startServer()
    expect(server.address().toString()).toMatch(
      new RegExp(`^/ip4/127.0.0.1/udp/${server.listener.port}/quic-v1/webtransport/certhash/uEi[\\w-]{44}/certhash/uEi[\\w-]{44}/p2p/`),
    )
    expect(server.address().toString()).toContain(server.listener.addressSuffix())
    const told: string[] = []
    server.node.addEventListener('transport:listening', ({ detail }) => told.push(`listens ${detail.getAddrs().join()}`))
    server.node.addEventListener('transport:close', () => told.push('closed'))
    await server.node.stop()
    await server.node.start()
    expect(told[0]).toBe('closed')
    expect(told[1]).toContain('listens /ip4/127.0.0.1/udp/')
    expect(told[1]).not.toContain('/p2p/')
  })

  it('C5 changes its certificate without losing a session, on the same port', async () => {
    let time = Date.now()
    const server = await startServer({ now: () => time, limits: { certificateCheckMs: 20, handshakeMs: 1_000 } })
    const before = server.address()
    const [alice, bob] = [await startClient(), await startClient()]
    const old = await alice.dial(before)
    const { port } = server.listener

    time += PERIOD_MS
    await eventually(() => expect(server.address().toString()).not.toBe(before.toString()))
    expect(hashesOf(server.address())[0]).toEqual(hashesOf(before)[1])
    // Who saved the old address gets in with the hash that was the next one.
    await bob.dial(before)
    const charlie = await startClient()
    await charlie.dial(server.address())
    expect(await alice.services.ping.ping(server.node.peerId)).toBeGreaterThanOrEqual(0)
    expect(await server.node.services.ping.ping(alice.peerId)).toBeGreaterThanOrEqual(0)
    expect([old.status, server.listener.port, server.listener.sessions]).toEqual(['open', port, 3])
    await expect(openSession(multiaddr(before.toString().replace(/(\/certhash\/[\w-]+)\/certhash\/[\w-]+/, '$1')))).rejects.toThrow()
  })

  it('C5 has the same hashes after a restart', async () => {
    const now = Date.now()
    const first = await startServer({ now: () => now })
    const suffix = first.listener.addressSuffix()
    await first.node.stop()
    const second = await startServer({ now: () => now, listen: `/ip4/127.0.0.1/udp/0/quic-v1/webtransport` })
    expect(second.listener.addressSuffix()).toBe(suffix)
  })

  it('R1 refuses other paths and queries', async () => {
    const server = await startServer()
    for (const path of ['/', '/.well-known/libp2p-webtransport', '/.well-known/libp2p-webtransport?type=tls'])
      await expect(openSession(server.address(), path)).rejects.toThrow()
    expect(server.node.getConnections()).toEqual([])
    await (await startClient()).dial(server.address())
  })

  it('R2 refuses what the gater denies before any handshake, by its address if it likes', async () => {
    const server = await startServer({
      gater: { denyInboundConnection: ({ remoteAddr }) => remoteAddr.toString().startsWith('/ip4/127.') },
    })
    await expect(openSession(server.address())).rejects.toThrow()
    expect(server.listener.upgrading).toBe(0)
  })

  it('R3 refuses when all places for handshakes are taken, and has room again afterwards', async () => {
    const server = await startServer({ limits: { maxUpgrading: 2 } })
    const waiting = [await openSession(server.address()), await openSession(server.address())]
    await eventually(() => expect(server.listener.upgrading).toBe(2))
    await expect(openSession(server.address())).rejects.toThrow()
    for (const session of waiting) session.close(0, '')
    await eventually(() => expect(server.listener.upgrading).toBe(0))
    await (await startClient()).dial(server.address())
  })

  it('H2 hangs up on who does not finish the handshake in time', async () => {
    const server = await startServer({ limits: { handshakeMs: 100 } })
    const silent = await openSession(server.address())
    expect((await silent.closed()).closeCode).toBe(1)
    const slow = await openSession(server.address())
    const send = (await slow.openBi()).takeSend()
    await send.write(Buffer.of(0))
    expect((await slow.closed()).closeCode).toBe(1)
    expect([server.listener.upgrading, server.listener.sessions]).toEqual([0, 0])
  })

  it('H2 hangs up on who speaks no noise', async () => {
    const server = await startServer()
    const session = await openSession(server.address())
    const send = (await session.openBi()).takeSend()
    await send.write(Buffer.of(0, 1, 0))
    expect((await session.closed()).closeCode).toBe(1)
  })

  it('H3 hangs up on who floods it with streams before the handshake', async () => {
    const server = await startServer()
    const session = await openSession(server.address())
    const startedAt = performance.now()
    for (let index = 0; index < 20; index++) {
      const stream = await session.openBi().catch(() => undefined)
      stream
        ?.takeSend()
        .write(Buffer.from('early'))
        .catch(() => {})
    }
    expect((await session.closed()).closeCode).toBe(1)
    expect(performance.now() - startedAt).toBeLessThan(6_000)
    expect(server.listener.sessions).toBe(0)
  })

  it('H4 tells a peer that the gater denies by its PeerID with go-libp2p’s code', async () => {
    const server = await startServer({ gater: { denyInboundEncryptedConnection: () => true } })
    const closed = Promise.withResolvers<number>()
    const client = await startClient((session) => void session.closed().then(({ closeCode }) => closed.resolve(closeCode)))
    // The dial itself may succeed: for the client the handshake is over before the gater is asked.
    await client.dial(server.address()).catch(() => {})
    expect(await closed.promise).toBe(0x47415445)
    await eventually(() => expect([client.getConnections(), server.node.getConnections(), server.listener.sessions]).toEqual([[], [], 0]))
  })

  it('S1 carries twenty megabytes each way unharmed', async () => {
    const server = await startServer()
    const client = await startClient()
    await server.node.handle('/echo/1', (stream) => {
      stream.addEventListener('message', ({ data }) => {
        if (stream.send(data)) return
        stream.pause()
        stream.addEventListener('drain', () => stream.resume(), { once: true })
      })
      stream.addEventListener('remoteCloseWrite', () => void stream.close())
    })
    const stream = await (await client.dial(server.address())).newStream('/echo/1')
    const sent = Buffer.alloc(20_000_000)
    for (let index = 0; index < sent.length; index++) sent[index] = index * 7 + (index >> 9)
    const received: Uint8Array[] = []
    stream.addEventListener('message', ({ data }) => received.push(data.subarray()))
    for (let offset = 0; offset < sent.length; offset += 1_000_000)
      if (!stream.send(sent.subarray(offset, offset + 1_000_000)))
        await new Promise((resolve) => stream.addEventListener('drain', resolve, { once: true }))
    await stream.close()
    await eventually(() => expect(received.reduce((sum, { length }) => sum + length, 0)).toBe(sent.length))
    expect(Buffer.concat(received).equals(sent)).toBe(true)
  })

  it('S1 serves five hundred streams, a hundred at a time', async () => {
    const server = await startServer()
    const client = await startClient()
    await server.node.handle(
      '/echo/1',
      (stream) => {
        stream.addEventListener('message', ({ data }) => void stream.send(data))
        stream.addEventListener('remoteCloseWrite', () => void stream.close())
      },
      { maxInboundStreams: 1_000 },
    )
    const connection = await client.dial(server.address())
    const echo = async (index: number): Promise<string> => {
      const stream = await connection.newStream('/echo/1', { maxOutboundStreams: 1_000, signal: AbortSignal.timeout(10_000) })
      const answer = new Promise<string>((resolve) =>
        stream.addEventListener('message', ({ data }) => resolve(Buffer.from(data.subarray()).toString())),
      )
      stream.send(Buffer.from(String(index)))
      await stream.close()
      return answer
    }
    const answers = await Promise.all(Array.from({ length: 500 }, (_, index) => echo(index)))
    expect(answers).toEqual(Array.from({ length: 500 }, (_, index) => String(index)))
    await eventually(() => expect(connection.streams).toEqual([]))
  })

  it('S2 receives ten megabytes in small pieces on a stream that is closed for writing', async () => {
    const server = await startServer()
    const client = await startClient()
    await server.node.handle('/many/1', async (stream) => {
      await send(stream, 10_000_000, 1_000)
      await stream.close()
    })
    const stream = await (await client.dial(server.address())).newStream('/many/1')
    let received = 0
    stream.addEventListener('message', ({ data }) => (received += data.byteLength))
    await stream.close()
    await eventually(() => expect([received, stream.status]).toEqual([10_000_000, 'closed']))
  })

  it('S3 closes a stream whose remote reads no more and still writes', async () => {
    const server = await startServer()
    const client = await startClient()
    const opened = Promise.withResolvers<Stream>()
    await server.node.handle('/half/1', (stream) => opened.resolve(stream))
    const here = await (await client.dial(server.address())).newStream('/half/1')
    let received = 0
    here.addEventListener('message', ({ data }) => (received += data.byteLength))
    const there = await opened.promise
    await there.closeRead()
    await Promise.all([send(there, 1_000_000), here.close()])
    await there.close()
    await eventually(() => expect([received, here.status, there.status]).toEqual([1_000_000, 'closed', 'closed']))
  })

  it('S4 resets a stream at the other side when one aborts', async () => {
    const server = await startServer()
    const client = await startClient()
    const opened = Promise.withResolvers<Stream>()
    await server.node.handle('/idle/1', (stream) => opened.resolve(stream))
    const connection = await client.dial(server.address())
    for (const end of ['client', 'server'] as const) {
      const next = Promise.withResolvers<Stream>()
      await server.node.unhandle('/idle/1')
      await server.node.handle('/idle/1', (stream) => next.resolve(stream))
      const here = await connection.newStream('/idle/1')
      const there = await next.promise
      ;(end === 'client' ? here : there).abort(new Error('enough'))
      await eventually(() => expect([here.status, there.status]).toEqual(end === 'client' ? ['aborted', 'reset'] : ['reset', 'aborted']))
    }
    expect([connection.status, connection.streams.length]).toEqual(['open', 0])
  })

  it('S5 makes a sender wait for a reader that pauses, with little held here', async () => {
    const server = await startServer()
    const client = await startClient()
    const opened = Promise.withResolvers<Stream>()
    let received = 0
    await server.node.handle('/sink/1', (stream) => {
      stream.addEventListener('message', ({ data }) => (received += data.byteLength))
      stream.pause()
      opened.resolve(stream)
    })
    const stream = await (await client.dial(server.address())).newStream('/sink/1')
    const total = 10_000_000
    const sending = send(stream, total)
    const sink = await opened.promise
    await eventually(() => expect(stream.writableNeedsDrain).toBe(true))
    const isDone = await Promise.race([sending.then(() => true), client.services.ping.ping(server.node.peerId).then(() => false)])
    expect([isDone, received]).toEqual([false, 0])
    sink.resume()
    await sending
    await eventually(() => expect(received).toBe(total))
  })

  it('S1 loses nothing and keeps the order on a line that loses three packets of a hundred, and goes on when its address changes', async () => {
    const server = await startServer()
    const line = await startUdpLine({ targetPort: server.listener.port!, loss: 0.03, oneWayMs: 5 })
    cleanups.push(() => line.stop())
    const client = await startClient()
    await server.node.handle('/echo/1', (stream) => {
      stream.addEventListener('message', ({ data }) => {
        if (stream.send(data)) return
        stream.pause()
        stream.addEventListener('drain', () => stream.resume(), { once: true })
      })
    })
    const connection = await client.dial(
      multiaddr(
        server
          .address()
          .toString()
          .replace(/\/udp\/\d+/, `/udp/${line.port}`),
      ),
    )
    const stream = await connection.newStream('/echo/1')
    const sent = randomBytes(1_500_000)
    const received: Uint8Array[] = []
    const count = (): number => received.reduce((sum, { length }) => sum + length, 0)
    stream.addEventListener('message', ({ data }) => received.push(data.subarray()))
    for (const third of [0, 1, 2]) {
      for (let offset = third * 500_000; offset < (third + 1) * 500_000; offset += 50_000)
        if (!stream.send(sent.subarray(offset, offset + 50_000)))
          await new Promise((resolve) => stream.addEventListener('drain', resolve, { once: true }))
      await vi.waitFor(() => expect(count()).toBe((third + 1) * 500_000), { timeout: 25_000, interval: 20 })
      line.rebind()
    }
    expect(Buffer.concat(received).equals(sent)).toBe(true)
    expect(line.packets.lost).toBeGreaterThan(20)
    expect([connection.status, server.listener.sessions]).toEqual(['open', 1])
  })

  it('E1 closes politely: what the closing side has sent arrives, and both sides know', async () => {
    const server = await startServer()
    const client = await startClient()
    for (const who of ['client', 'server'] as const) {
      const connection = await client.dial(server.address())
      const other = await inbound(server)
      const [closing, staying] = who === 'client' ? [connection, server.node] : [other, client]
      let received = 0
      await staying.handle(`/sink/${who}`, (stream) => {
        stream.addEventListener('message', ({ data }) => (received += data.byteLength))
      })
      const stream = await closing.newStream(`/sink/${who}`)
      await send(stream, 100_000)
      await stream.close()
      await closing.close()
      await eventually(() => expect([connection.status, other.status, received]).toEqual(['closed', 'closed', 100_000]))
      expect([server.listener.sessions, server.node.getConnections()]).toEqual([0, []])
    }
  })

  it('E2 cuts a connection at once when it is aborted, and tells why in code and words', async () => {
    const server = await startServer()
    const client = await startClient()
    const connection = await client.dial(server.address())
    const startedAt = performance.now()
    ;(await inbound(server)).abort(Object.assign(new Error('the token was revoked'), { code: 4001 }))
    await eventually(() => expect(connection.status).toBe('reset'))
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    expect([server.listener.sessions, server.node.getConnections()]).toEqual([0, []])
  })

  it('E3 sends idle sessions a packet now and then, so that QUIC does not give up on them', async () => {
    const server = await startServer({ limits: { keepAliveMs: 20 } })
    const sessions: NativeSession[] = []
    const client = await startClient((session) => sessions.push(session))
    await client.dial(server.address())
    for (let packets = 0; packets < 3; packets++) expect(await sessions[0]!.recvDatagram()).toHaveLength(1)
  })

  it('E1 closes all streams of both sides with their connection', async () => {
    const server = await startServer()
    const client = await startClient()
    await server.node.handle('/idle/1', () => {})
    const connection = await client.dial(server.address())
    for (let index = 0; index < 5; index++) await connection.newStream('/idle/1')
    const other = await inbound(server)
    const idle = (each: Connection): Stream[] => each.streams.filter(({ protocol }) => protocol === '/idle/1')
    await eventually(() => expect([idle(connection).length, idle(other).length]).toEqual([5, 5]))
    await connection.close()
    await eventually(() =>
      expect([connection.status, other.status, connection.streams, other.streams]).toEqual(['closed', 'closed', [], []]),
    )
  })

  it('E4 tells clients that it goes away, gives its port back, and can start again', async () => {
    const server = await startServer()
    const client = await startClient()
    const connection = await client.dial(server.address())
    const port = server.listener.port!
    await server.node.stop()
    await eventually(() => expect([connection.status === 'open', server.listener.sessions]).toEqual([false, 0]))
    const socket = createSocket('udp4')
    await new Promise<void>((resolve, reject) => socket.once('error', reject).bind(port, '127.0.0.1', resolve))
    socket.close()
    await server.node.start()
    await (await startClient()).dial(server.address())
  })

  it('C5 the example of the README listens, and its address works after a restart with the same key', async () => {
    const privateKey = await generateKeyPair('Ed25519')
    const first = await startExample(privateKey, '/ip4/127.0.0.1/udp/0/quic-v1/webtransport')
    cleanups.push(() => first.stop())
    const [address] = first.getMultiaddrs()
    await (await startClient()).dial(address!)
    await first.stop()
    const second = await startExample(privateKey, address!.toString().replace(/\/certhash.*/, ''))
    cleanups.push(() => second.stop())
    await (await startClient()).dial(address!)
    await eventually(() => expect(second.getConnections()).toHaveLength(1))
  })

  it('E5 says that its port is taken', async () => {
    const server = await startServer()
    await expect(startServer({ listen: `/ip4/127.0.0.1/udp/${server.listener.port}/quic-v1/webtransport` })).rejects.toThrow('EADDRINUSE')
  })
})
