/**
 * The other side of the benches, built for a browser: plain js-libp2p as its documents set it up, with none of our client's code. It logs in once
 * (the bridge admits nobody else), then does by hand what the app does: dial, reserve, and stream bytes on a path of its own.
 * `globalThis.bare` is what the benches call. Not here: the measuring (login.ts, blob.ts).
 */
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Connection, Ed25519PrivateKey, Libp2p, Stream } from '@libp2p/interface'
import { ping } from '@libp2p/ping'
import { webRTC } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { base64urlEncode, utf8Encode } from '@footbridge/shared/text-codec'
import { encodeLoginStatement, type SessionAnswer } from '@footbridge/shared/login'
import { peerIdFromString } from '@libp2p/peer-id'
import { createLibp2p } from 'libp2p'

const RAW = '/bench/raw/1.0.0'
const limited = { runOnLimitedConnection: true }

let key: Ed25519PrivateKey
let session: SessionAnswer
let node: Libp2p
let direct: Connection | undefined
let received = 0
/** Called with each arrival. */
let arrived = (): void => {}

/** Enrols a fresh key with `token`; not measured. @returns the PeerID. */
async function login(token: string): Promise<string> {
  key = await generateKeyPair('Ed25519')
  const { peer } = (await (await fetch('/api/v1/bridge')).json()) as { peer: string }
  const tokenHash = new Uint8Array(await crypto.subtle.digest('SHA-256', utf8Encode(token)))
  const nonce = crypto.getRandomValues(new Uint8Array(16))
  const timestamp = Date.now()
  const bridge = peerIdFromString(peer).toMultihash().bytes
  const signature = await key.sign(encodeLoginStatement({ bridge, credential: 'token', tokenHash, timestamp, nonce }))
  const body = {
    credential: { kind: 'token', token },
    publicKey: base64urlEncode(publicKeyToProtobuf(key.publicKey)),
    timestamp,
    nonce: base64urlEncode(nonce),
    signature: base64urlEncode(signature),
  }
  const response = await fetch('/api/v1/sessions', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(await response.text())
  session = (await response.json()) as SessionAnswer
  return session.peer
}

/** Makes a node, dials the bridge and reserves. @returns ms from the dial to the reservation: making the node is not counted. */
async function dialAndReserve(): Promise<number> {
  node = await createLibp2p({
    privateKey: key,
    addresses: { listen: ['/webrtc'] },
    transports: [webSockets(), circuitRelayTransport(), webRTC({ rtcConfiguration: { iceServers: [] } })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify(), ping: ping() },
  })
  await node.handle(
    RAW,
    (stream) =>
      stream.addEventListener('message', ({ data }) => {
        received += data.byteLength
        arrived()
      }),
    limited,
  )
  const startedAt = performance.now()
  const transports = (node as unknown as { components: { transportManager: { listen(addrs: unknown[]): Promise<void> } } }).components
  await transports.transportManager.listen([multiaddr(`${session.firstHops[0]}/p2p-circuit`)])
  if (!node.getMultiaddrs().some((address) => address.toString().includes('/p2p-circuit'))) throw new Error('no reservation')
  return performance.now() - startedAt
}

/** Connects to `peer` over WebRTC, as the app's direct path does. */
async function connectDirect(peer: string): Promise<string> {
  direct = await node.dial(multiaddr(`${session.firstHops[0]}/p2p-circuit/webrtc/p2p/${peer}`))
  return direct.remoteAddr.toString()
}

/** Streams `bytes` bytes in chunks of 64 KiB to the peer. Its side measures, see `receive`. */
async function sendRaw(bytes: number): Promise<void> {
  if (direct === undefined) throw new Error('not connected')
  const stream = await direct.newStream(RAW, limited)
  const chunk = new Uint8Array(64 * 1024)
  for (let left = bytes; left > 0; left -= chunk.length) {
    if (!stream.send(left < chunk.length ? chunk.subarray(0, left) : chunk)) await drained(stream)
  }
  await stream.close()
}

/** Waits for `bytes` more bytes. @returns ms from the first to the last of them. */
async function receive(bytes: number): Promise<number> {
  const goal = received + bytes
  let firstAt: number | undefined
  return await new Promise((resolve) => {
    arrived = () => {
      firstAt ??= performance.now()
      if (received >= goal) resolve(performance.now() - firstAt)
    }
  })
}

function drained(stream: Stream): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.addEventListener('drain', () => resolve(), { once: true })
    stream.addEventListener('close', () => reject(new Error('closed')), { once: true })
  })
}

const bare = { login, dialAndReserve, connectDirect, sendRaw, receive }
export type Bare = typeof bare
Object.assign(globalThis, { bare })
