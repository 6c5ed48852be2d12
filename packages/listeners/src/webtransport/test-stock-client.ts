/**
 * For tests: what runs in Chromium. libp2p with stock @libp2p/webtransport, unmodified, and a few things to do with it, on `globalThis.stock`.
 */
import { identify } from '@libp2p/identify'
import type { Connection, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { webTransport } from '@libp2p/webtransport'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const node = await createLibp2p({
  transports: [webTransport()],
  connectionEncrypters: [noise()],
  connectionMonitor: { pingInterval: 2_000 },
  connectionGater: { denyDialMultiaddr: () => false },
  services: { identify: identify(), ping: ping() },
})

let connection: Connection
const streams = new Map<number, Stream>()
const closed = new Map<number, string>()
const taken = new Map<number, number>()

const drained = (stream: Stream): Promise<void> =>
  new Promise((resolve, reject) => {
    stream.addEventListener('drain', () => resolve(), { once: true })
    stream.addEventListener('close', () => reject(new Error('closed')), { once: true })
  })

async function write(stream: Stream, bytes: number): Promise<void> {
  const chunk = new Uint8Array(64 * 1024)
  for (let sent = 0; sent < bytes; sent += chunk.length)
    if (!stream.send(chunk.subarray(0, Math.min(chunk.length, bytes - sent)))) await drained(stream)
}

const text = (stream: Stream): Promise<string> =>
  new Promise((resolve) => {
    stream.addEventListener('message', ({ data }) => resolve(new TextDecoder().decode(data.subarray())), { once: true })
  })

const stock = {
  peer: node.peerId.toString(),
  async dial(address: string): Promise<{ peer: string; ms: number }> {
    const startedAt = performance.now()
    connection = await node.dial(multiaddr(address), { signal: AbortSignal.timeout(10_000) })
    return { peer: connection.remotePeer.toString(), ms: performance.now() - startedAt }
  },
  ping: (): Promise<number> => node.services.ping.ping(connection.remotePeer),
  /** Bytes that the server says it got. */
  async upload(bytes: number): Promise<{ bytes: number; ms: number }> {
    const startedAt = performance.now()
    const stream = await connection.newStream('/upload/1')
    const answer = text(stream)
    await write(stream, bytes)
    await stream.close()
    return { bytes: Number(await answer), ms: performance.now() - startedAt }
  },
  async download(): Promise<{ bytes: number; ms: number }> {
    const startedAt = performance.now()
    const stream = await connection.newStream('/download/1')
    let bytes = 0
    stream.addEventListener('message', ({ data }) => (bytes += data.byteLength))
    await new Promise((resolve) => stream.addEventListener('remoteCloseWrite', resolve))
    await stream.close()
    return { bytes, ms: performance.now() - startedAt }
  },
  async echo(words: string): Promise<string> {
    const stream = await connection.newStream('/echo/1', { signal: AbortSignal.timeout(10_000), maxOutboundStreams: 1_000 })
    const answer = text(stream)
    stream.send(new TextEncoder().encode(words))
    await stream.close()
    return answer
  },
  echoes: (count: number): Promise<string[]> => Promise.all(Array.from({ length: count }, (_, index) => stock.echo(String(index)))),
  /** Leaves a stream open under a number. */
  async open(protocol: string, number: number): Promise<void> {
    const stream = await connection.newStream(protocol)
    streams.set(number, stream)
    stream.addEventListener('close', () => closed.set(number, stream.status))
  },
  /** Takes what comes on a new stream: `busyMs` keeps the whole page from everything else for each message, as a page does that draws. */
  async take(protocol: string, number: number, busyMs: number): Promise<void> {
    const stream = await connection.newStream(protocol)
    streams.set(number, stream)
    taken.set(number, 0)
    stream.addEventListener('close', () => closed.set(number, stream.status))
    stream.addEventListener('message', ({ data }) => {
      taken.set(number, (taken.get(number) ?? 0) + data.byteLength)
      for (const until = performance.now() + busyMs; performance.now() < until;);
    })
  },
  taken: (number: number): number => taken.get(number) ?? 0,
  pause(number: number): void {
    streams.get(number)?.pause()
  },
  resume(number: number): void {
    streams.get(number)?.resume()
  },
  abort(number: number): void {
    streams.get(number)?.abort(new Error('enough'))
  },
  /** Writes for as long as the stream takes it at once. */
  async fill(number: number, maxBytes: number): Promise<number> {
    const stream = streams.get(number)
    if (stream === undefined) return 0
    let sent = 0
    const chunk = new Uint8Array(64 * 1024)
    while (sent < maxBytes) {
      sent += chunk.length
      if (stream.send(chunk)) continue
      const isDrained = await Promise.race([
        drained(stream).then(() => true),
        new Promise((resolve) => setTimeout(() => resolve(false), 500)),
      ])
      if (isDrained !== true) break
    }
    return sent
  },
  closed: (number: number): string | undefined => closed.get(number),
  status: (): string => connection.status,
  close: (): Promise<void> => connection.close(),
}

export type Stock = typeof stock
Object.assign(globalThis, { stock })
