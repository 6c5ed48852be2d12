/**
 * Dials a bridge over one first hop at a time, from a browser, and measures it: plain js-libp2p with the transports that Footbridge uses. One page is the
 * person, another, at the same bridge over a WebSocket, gives and takes the bytes. `globalThis.firstHop` is what the bench and the journey call.
 * Not here: the measuring's order (first-hop.ts).
 */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Connection, Ed25519PrivateKey, Libp2p, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping, type Ping } from '@libp2p/ping'
import { webSockets } from '@libp2p/websockets'
import { webTransport } from '@libp2p/webtransport'
import { yamux } from '@libp2p/yamux'
import { tunnel } from '@footbridge/protocols/tunnel/tunnel-transport'
import { encodeLoginStatement, type SessionAnswer } from '@footbridge/shared/login'
import { base64urlEncode, utf8Encode } from '@footbridge/shared/text-codec'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

/** `polled` is the tunnel with streams held back for ever. */
export type Hop = 'webtransport' | 'websocket' | 'tunnel' | 'polled'

const MARKS: Readonly<Record<Hop, RegExp>> = {
  webtransport: /\/webtransport\//,
  websocket: /\/wss?\//,
  tunnel: /\/http-path\//,
  polled: /\/http-path\//,
}

const SINK = '/bench/sink/1.0.0'
const SOURCE = '/bench/source/1.0.0'
const limited = { runOnLimitedConnection: true }
const PIECE = new Uint8Array(64 * 1024)

let key: Ed25519PrivateKey
let session: SessionAnswer
let node: Libp2p<{ ping: Ping }> | undefined
let link: Connection

/** @param origin of the bridge: this page's own, or another. @returns the PeerID. */
async function login(origin: string, token: string): Promise<string> {
  key = await generateKeyPair('Ed25519')
  const { peer } = (await (await fetch(`${origin}/api/v1/bridge`)).json()) as { peer: string }
  const tokenHash = new Uint8Array(await crypto.subtle.digest('SHA-256', utf8Encode(token)))
  const nonce = crypto.getRandomValues(new Uint8Array(16))
  const timestamp = Date.now()
  const bridge = peerIdFromString(peer).toMultihash().bytes
  const signature = await key.sign(encodeLoginStatement({ bridge, credential: 'token', tokenHash, timestamp, nonce }))
  const response = await fetch(`${origin}/api/v1/sessions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      credential: { kind: 'token', token },
      publicKey: base64urlEncode(publicKeyToProtobuf(key.publicKey)),
      timestamp,
      nonce: base64urlEncode(nonce),
      signature: base64urlEncode(signature),
    }),
  })
  if (!response.ok) throw new Error(await response.text())
  session = (await response.json()) as SessionAnswer
  return session.peer
}

/**
 * @param udpPort where WebTransport is dialled, when not where the bridge says: a line with latency.
 * @returns ms from the dial to a connection that is through its handshake.
 */
async function dial(hop: Hop, udpPort?: number): Promise<number> {
  await node?.stop()
  const holding: typeof fetch = (url, init) =>
    (url as string).includes('/down?')
      ? new Promise((_resolve, reject) => init?.signal?.addEventListener('abort', () => reject(new Error('aborted'))))
      : fetch(url, init)
  node = await createLibp2p({
    privateKey: key,
    transports: [
      webSockets(),
      webTransport(),
      tunnel({ accessToken: () => session.accessToken, ...(hop === 'polled' && { fetch: holding }) }),
      circuitRelayTransport(),
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    connectionMonitor: { enabled: false },
    services: { identify: identify(), ping: ping() },
  })
  const found = session.firstHops.find((address) => MARKS[hop].test(address))
  const target = udpPort === undefined ? found : found?.replace(/\/udp\/\d+\//, `/udp/${udpPort}/`)
  if (target === undefined) throw new Error(`the bridge gave no address for ${hop}`)
  const startedAt = performance.now()
  link = await node.dial(multiaddr(target))
  return performance.now() - startedAt
}

/** @returns ms of one round trip to the bridge, on the link that is open. */
async function pingBridge(): Promise<number> {
  const startedAt = performance.now()
  await running().services.ping.ping(link.remotePeer)
  return performance.now() - startedAt
}

/** Becomes reachable, and gives and takes what others ask. */
async function serve(): Promise<void> {
  const self = running()
  await self.handle(
    SINK,
    (stream) => {
      stream.addEventListener('message', () => {})
      stream.addEventListener('remoteCloseWrite', () => {
        stream.send(Uint8Array.of(1))
        void stream.close()
      })
    },
    limited,
  )
  await self.handle(
    SOURCE,
    (stream) =>
      stream.addEventListener('message', ({ data }) => void sendAll(stream, new DataView(data.slice().buffer).getUint32(0)), {
        once: true,
      }),
    limited,
  )
  const { transportManager } = (self as unknown as { components: { transportManager: { listen(addrs: unknown[]): Promise<void> } } })
    .components
  await transportManager.listen([multiaddr(`${link.remoteAddr.toString()}/p2p-circuit`)])
  if (!self.getMultiaddrs().some((address) => address.toString().includes('/p2p-circuit'))) throw new Error('no reservation')
}

/** Through the bridge's relay to a page that serves. @returns ms until all has arrived there, or here. */
async function carry(direction: 'up' | 'down', peer: string, bytes: number): Promise<number> {
  const circuit = await running().dial(multiaddr(`/p2p/${link.remotePeer.toString()}/p2p-circuit/p2p/${peer}`))
  const stream = await circuit.newStream(direction === 'up' ? SINK : SOURCE, limited)
  const startedAt = performance.now()
  const goal = direction === 'up' ? 1 : bytes
  let count = 0
  const whole = new Promise<void>((resolve, reject) => {
    stream.addEventListener('message', ({ data }) => {
      count += data.byteLength
      if (count >= goal) resolve()
    })
    stream.addEventListener('close', () => reject(new Error(`closed after ${count} of ${goal} bytes`)), { once: true })
  })
  if (direction === 'up') {
    await sendAll(stream, bytes)
    await stream.close()
  } else {
    const head = new Uint8Array(4)
    new DataView(head.buffer).setUint32(0, bytes)
    stream.send(head)
  }
  await whole
  const tookMs = performance.now() - startedAt
  stream.abort(new Error('done'))
  return tookMs
}

async function sendAll(stream: Stream, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= PIECE.length) {
    if (!stream.send(PIECE.subarray(0, Math.min(left, PIECE.length))))
      await new Promise((resolve) => stream.addEventListener('drain', resolve, { once: true }))
  }
}

function running(): Libp2p<{ ping: Ping }> {
  if (node === undefined) throw new Error('nothing was dialled')
  return node
}

const firstHop = {
  login,
  dial,
  ping: pingBridge,
  serve,
  carry,
  address: () => link.remoteAddr.toString(),
  isOpen: () => link.status === 'open',
  /** The UDP port of WebTransport, where the bridge has one. */
  udpPort: (): number | undefined => {
    const port = session.firstHops.flatMap((address) => /\/udp\/(\d+)\//.exec(address)?.[1] ?? [])[0]
    return port === undefined ? undefined : Number(port)
  },
}
export type FirstHop = typeof firstHop
Object.assign(globalThis, { firstHop })
