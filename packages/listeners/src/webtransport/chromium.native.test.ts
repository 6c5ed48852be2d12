/**
 * Chromium with stock @libp2p/webtransport against the listener: somebody else's QUIC, HTTP/3, WebTransport and muxer. Rules: SPEC.md.
 * Chromium runs with QUIC on, as drive and flags in Playwright leave it. CHROMIUM_PATH says where it is (scripts/webtransport-tests.ts).
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { identify } from '@libp2p/identify'
import type { ConnectionGater, Libp2p, Stream } from '@libp2p/interface'
import { ping, type Ping } from '@libp2p/ping'
import { createLibp2p } from 'libp2p'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { build } from 'vite'
import { PERIOD_MS } from './certificate-calendar.ts'
import type { Stock } from './test-stock-client.ts'
import { nativeBinding } from './test-dialer.ts'
import { startUdpLine } from './test-udp-line.ts'
import { createWebTransportListener, type WebTransportListener, type WebTransportListenerLimits } from './webtransport-listener.ts'

declare const stock: Stock

const MEGABYTE = 1_000_000
const eventually = <Value>(check: () => Value | Promise<Value>, timeout = 8_000): Promise<Value> =>
  vi.waitFor(check, { timeout, interval: 10 })

let browser: Browser
let web: Server
let origin: string

beforeAll(async () => {
  const built = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      minify: false,
      target: 'esnext',
      lib: { entry: fileURLToPath(new URL('test-stock-client.ts', import.meta.url)), formats: ['es'], fileName: 'page' },
    },
  })
  const [chunk] = [built].flat().flatMap((result) => ('output' in result ? result.output : []))
  const script = chunk?.type === 'chunk' ? chunk.code : ''
  web = createServer((request, response) => {
    response.setHeader('content-type', request.url === '/page.js' ? 'text/javascript' : 'text/html')
    response.end(request.url === '/page.js' ? script : '<script type=module src=/page.js></script>')
  })
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
  origin = `http://127.0.0.1:${(web.address() as AddressInfo).port}/`
  browser = await chromium.launch({
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}, 60_000)

afterAll(async () => {
  await browser?.close()
  web?.closeAllConnections()
  web?.close()
})

const cleanups: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

interface ServerUnderTest {
  readonly node: Libp2p<{ ping: Ping }>
  readonly listener: WebTransportListener
  readonly address: () => string
}

async function startServer(
  options: { limits?: Partial<WebTransportListenerLimits>; gater?: ConnectionGater; now?: () => number } = {},
): Promise<ServerUnderTest> {
  const { limits = {}, gater = {}, now = Date.now } = options
  const listener = createWebTransportListener({ binding: nativeBinding(), secret: new Uint8Array(32).fill(9), limits, now })
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/udp/0/quic-v1/webtransport'] },
    transports: [listener.transport],
    connectionGater: gater,
    connectionMonitor: { enabled: false },
    services: { identify: identify(), ping: ping() },
  })
  cleanups.push(() => node.stop())
  await node.handle(
    '/echo/1',
    (stream) => {
      stream.addEventListener('message', ({ data }) => void stream.send(data))
      stream.addEventListener('remoteCloseWrite', () => void stream.close())
    },
    { maxInboundStreams: 1_000 },
  )
  await node.handle('/upload/1', (stream) => {
    let bytes = 0
    stream.addEventListener('message', ({ data }) => (bytes += data.byteLength))
    stream.addEventListener('remoteCloseWrite', () => {
      stream.send(Buffer.from(String(bytes)))
      void stream.close()
    })
  })
  await node.handle('/download/1', async (stream) => {
    const chunk = new Uint8Array(64 * 1024)
    for (let sent = 0; sent < 20 * MEGABYTE; sent += chunk.length)
      if (!stream.send(chunk.subarray(0, Math.min(chunk.length, 20 * MEGABYTE - sent))))
        await new Promise((resolve) => stream.addEventListener('drain', resolve, { once: true }))
    await stream.close()
  })
  return { node, listener, address: () => String(node.getMultiaddrs()[0]) }
}

async function openPage(): Promise<Page> {
  const page = await browser.newPage()
  cleanups.push(() => page.close())
  await page.goto(origin)
  await page.waitForFunction(() => 'stock' in globalThis)
  return page
}

async function connect(server: ServerUnderTest): Promise<Page> {
  const page = await openPage()
  const { peer } = await page.evaluate((address) => stock.dial(address), server.address())
  expect(peer).toBe(server.node.peerId.toString())
  return page
}

/** The next stream of a protocol at the server. */
async function streamAt(
  server: ServerUnderTest,
  protocol: string,
  onStream: (stream: Stream) => void = () => {},
): Promise<() => Promise<Stream>> {
  const opened = Promise.withResolvers<Stream>()
  await server.node.handle(protocol, (stream) => {
    onStream(stream)
    opened.resolve(stream)
  })
  return () => opened.promise
}

/** A protocol that sends so much to whoever opens it. `accepted`: what libp2p has taken from the sender so far. */
async function floodAt(server: ServerUnderTest, total: number): Promise<{ accepted: () => number }> {
  let accepted = 0
  await server.node.handle('/flood/1', async (stream) => {
    const chunk = new Uint8Array(64 * 1024)
    while (accepted < total && stream.status === 'open') {
      const piece = chunk.subarray(0, Math.min(chunk.length, total - accepted))
      accepted += piece.length
      if (stream.send(piece)) continue
      await new Promise<void>((resolve) => {
        stream.addEventListener('drain', () => resolve(), { once: true })
        stream.addEventListener('close', () => resolve(), { once: true })
      })
    }
    if (stream.status === 'open') await stream.close()
  })
  return { accepted: () => accepted }
}

describe('Chromium with the stock client', () => {
  it('H1 connects with the hashes of the address, and each pings the other', async () => {
    const server = await startServer()
    const page = await connect(server)
    expect(await page.evaluate(() => stock.ping())).toBeGreaterThanOrEqual(0)
    const [connection] = server.node.getConnections()
    expect(await server.node.services.ping.ping(connection!.remotePeer)).toBeGreaterThanOrEqual(0)
    expect(connection!.remotePeer.toString()).toBe(await page.evaluate(() => stock.peer))
  })

  it('S1 sends twenty megabytes up and twenty down', async () => {
    const server = await startServer()
    const page = await connect(server)
    const up = await page.evaluate((bytes) => stock.upload(bytes), 20 * MEGABYTE)
    const down = await page.evaluate(() => stock.download())
    expect([up.bytes, down.bytes]).toEqual([20 * MEGABYTE, 20 * MEGABYTE])
  })

  it('S1 opens eighty streams at a time, again and again', async () => {
    const server = await startServer()
    const page = await connect(server)
    for (let round = 0; round < 5; round++)
      expect(await page.evaluate(() => stock.echoes(80))).toEqual(Array.from({ length: 80 }, (_, index) => String(index)))
    await eventually(() => expect(server.node.getConnections()[0]!.streams).toEqual([]))
  })

  it('S4 knows at either side at once that the other aborted a stream', async () => {
    const server = await startServer()
    const page = await connect(server)
    for (const [number, who] of [
      [1, 'page'],
      [2, 'server'],
    ] as const) {
      const next = await streamAt(server, `/idle/${number}`)
      await page.evaluate(([protocol, at]) => stock.open(protocol, at), [`/idle/${number}`, number] as const)
      const stream = await next()
      if (who === 'page') await page.evaluate((at) => stock.abort(at), number)
      else stream.abort(new Error('enough'))
      await eventually(async () => expect([stream.status, await page.evaluate((at) => stock.closed(at), number)]).not.toContain('open'))
      await eventually(async () => expect(await page.evaluate((at) => stock.closed(at), number)).toBeDefined())
    }
    expect(await page.evaluate(() => stock.status())).toBe('open')
    await eventually(() => expect(server.node.getConnections()[0]!.streams).toEqual([]))
  })

  it('S5 makes a page wait that writes to a paused stream', async () => {
    const server = await startServer()
    const page = await connect(server)
    const next = await streamAt(server, '/paused/1', (stream) => {
      stream.addEventListener('message', () => {})
      stream.pause()
    })
    await page.evaluate(() => stock.open('/paused/1', 1))
    const sent = await page.evaluate((bytes) => stock.fill(1, bytes), 20 * MEGABYTE)
    expect(sent).toBeLessThan(5 * MEGABYTE)
    expect((await next()).status).toBe('open')
  })

  it('S5 sends forty megabytes to a page that is slow, with little held here', async () => {
    const server = await startServer()
    const page = await connect(server)
    const total = 40 * MEGABYTE
    const flood = await floodAt(server, total)
    await page.evaluate(() => stock.take('/flood/1', 1, 3))
    let most = 0
    await eventually(async () => {
      const taken = await page.evaluate(() => stock.taken(1))
      most = Math.max(most, flood.accepted() - taken)
      expect(taken).toBe(total)
    }, 60_000)
    // All that lies anywhere between the sender and the page's reader.
    expect(most).toBeLessThan(10 * MEGABYTE)
  })

  it('S5 waits for a page that pauses, which the stock client does not survive: it loses that stream, and nothing else', async () => {
    const server = await startServer()
    const page = await connect(server)
    const flood = await floodAt(server, 40 * MEGABYTE)
    await page.evaluate(() => stock.take('/flood/1', 1, 0))
    await eventually(async () => expect(await page.evaluate(() => stock.taken(1))).toBeGreaterThan(0))
    await page.evaluate(() => stock.pause(1))
    // A standstill: what is accepted does not change through several round trips to the page and back.
    let last = -1
    for (let same = 0; same < 20;) {
      await page.evaluate(() => stock.ping())
      same = flood.accepted() === last ? same + 1 : 0
      last = flood.accepted()
    }
    expect(last - (await page.evaluate(() => stock.taken(1)))).toBeLessThan(10 * MEGABYTE)
    expect(last).toBeLessThan(40 * MEGABYTE)
    await page.evaluate(() => stock.resume(1))
    await eventually(async () => expect(await page.evaluate(() => stock.closed(1))).toBe('aborted'))
    expect(await page.evaluate(() => stock.echo('still here'))).toBe('still here')
  })

  it('F5 goes on when the network gives the page another address', async () => {
    const server = await startServer()
    const line = await startUdpLine({ targetPort: server.listener.port! })
    cleanups.push(() => line.stop())
    const page = await openPage()
    await page.evaluate((address) => stock.dial(address), server.address().replace(/\/udp\/\d+/, `/udp/${line.port}`))
    for (let round = 0; round < 3; round++) {
      line.rebind()
      expect(await page.evaluate((words) => stock.echo(words), `round ${round}`)).toBe(`round ${round}`)
    }
    expect([await page.evaluate(() => stock.status()), server.listener.sessions]).toEqual(['open', 1])
  })

  it('S1 loses nothing on a line that loses two packets of a hundred', async () => {
    const server = await startServer()
    const line = await startUdpLine({ targetPort: server.listener.port!, loss: 0.02, oneWayMs: 5 })
    cleanups.push(() => line.stop())
    const page = await openPage()
    await page.evaluate((address) => stock.dial(address), server.address().replace(/\/udp\/\d+/, `/udp/${line.port}`))
    const up = await page.evaluate((bytes) => stock.upload(bytes), 2 * MEGABYTE)
    expect(up.bytes).toBe(2 * MEGABYTE)
    expect(line.packets.lost).toBeGreaterThan(10)
  })

  it('C5 stays connected through a change of certificates, and connects afterwards with the old address and the new', async () => {
    let time = Date.now()
    const server = await startServer({ now: () => time, limits: { certificateCheckMs: 20 } })
    const before = server.address()
    const page = await connect(server)
    // A browser looks at the certificate's time, so the period before this one is where the server comes from.
    time -= PERIOD_MS
    await eventually(() => expect(server.address()).not.toBe(before))
    const earlier = server.address()
    time += PERIOD_MS
    await eventually(() => expect(server.address()).toBe(before))
    expect(await page.evaluate(() => stock.echo('still here'))).toBe('still here')
    // `earlier` names the hash of the certificate before and that of the current one.
    const late = await openPage()
    await late.evaluate((address) => stock.dial(address), earlier)
    expect(await late.evaluate(() => stock.echo('in time'))).toBe('in time')
  })

  it('R2 fails at once when the gater denies it', async () => {
    const server = await startServer({ gater: { denyInboundConnection: () => true } })
    const page = await openPage()
    await expect(page.evaluate((address) => stock.dial(address), server.address())).rejects.toThrow()
    expect(server.listener.sessions).toBe(0)
  })

  it('E1 tells the page’s streams at once that the server closes or aborts, and its connection with the next ping', async () => {
    const server = await startServer()
    await streamAt(server, '/idle/1')
    for (const end of ['close', 'abort'] as const) {
      const page = await connect(server)
      await page.evaluate(() => stock.open('/idle/1', 1))
      const connection = await eventually(() => server.node.getConnections()[0] ?? Promise.reject(new Error('none')))
      const startedAt = performance.now()
      if (end === 'close') await connection.close()
      else connection.abort(Object.assign(new Error('revoked'), { code: 4001 }))
      await eventually(async () => expect(await page.evaluate(() => stock.closed(1))).toBeDefined())
      expect(performance.now() - startedAt).toBeLessThan(6_000)
      await eventually(async () => expect(await page.evaluate(() => stock.status())).not.toBe('open'))
    }
  })

  it('E2 knows at once that the page closed its connection', async () => {
    const server = await startServer()
    const page = await connect(server)
    await page.evaluate(() => stock.close())
    await eventually(() => expect([server.listener.sessions, server.node.getConnections().length]).toEqual([0, 0]))
  })

  // Chromium mostly says goodbye for a tab that is closed, in 40 ms; for one in three that are closed as soon as they are connected it says nothing at all. The
  // bridge does not wait that long: it asks whoever is silent (node/liveness.ts).
  it('E2 knows that the tab is gone, at the latest when QUIC gives it up after 30 s', { timeout: 90_000 }, async () => {
    const server = await startServer()
    await (await connect(server)).close()
    await eventually(() => expect([server.listener.sessions, server.node.getConnections().length]).toEqual([0, 0]), 60_000)
  })
})
