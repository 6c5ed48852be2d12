/**
 * One browser's worth of peer, without the browser: a whole stock libp2p node that logs in, reserves, keeps its presence stream open and echoes what
 * others send it over a circuit. Uses nothing of ours but the login's bytes.
 * Not here: how many there are and when they come and go (peers.ts).
 */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Ed25519PrivateKey, Libp2p, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { lpStream } from '@libp2p/utils'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { encodeLoginStatement, type SessionAnswer } from '@footbridge/shared/login'
import { PRESENCE_PROTOCOL } from '@footbridge/shared/protocol-ids'
import { base64urlEncode } from '@footbridge/shared/text-codec'
import type { PresenceFrame } from '@footbridge/shared/wire/presence-frame'
import { createLibp2p } from 'libp2p'
import { createFrameReader } from './frame-reader.ts'

const ECHO_PROTOCOL = '/footbridge-soak/echo/1'
/** The machine is full during a soak: nothing but a hang may fail. */
const PATIENCE_MS = 60_000

export interface LightPeerOptions {
  /** `http://127.0.0.1:<port>` */
  readonly origin: string
  readonly bridgePeer: string
  readonly token: string
  /** The address that the peer seems to come from: the bridge trusts us as its proxy, so that limits by address see many households. */
  readonly address: string
  /** Reads the list and keeps it, as an app does; the others count its bytes. */
  readonly watches: boolean
  readonly onPresence: (bytes: number) => void
  /** The connection, the reservation or the presence stream ended, and not by `stop`. */
  readonly onLost: (what: string) => void
}

export interface LightPeer {
  readonly peer: string
  /** PeerIDs in its list; undefined unless it watches. */
  readonly list: ReadonlySet<string> | undefined
  /** Sends bytes to another peer over a circuit of its own and waits for them to come back. @returns milliseconds. */
  echo(peer: string): Promise<number>
  stop(): Promise<void>
}

export async function startLightPeer(options: LightPeerOptions): Promise<LightPeer> {
  const { address, onPresence, onLost, watches } = options
  const privateKey = await generateKeyPair('Ed25519')
  const session = await login(options, privateKey)
  const firstHop = session.firstHops[0] ?? ''
  const node = await createLibp2p({
    privateKey,
    addresses: { listen: [`${firstHop}/p2p-circuit`] },
    transports: [webSockets(), circuitRelayTransport({ reservationCompletionTimeout: PATIENCE_MS })],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionManager: {
      addressDialTimeout: PATIENCE_MS,
      dialTimeout: PATIENCE_MS,
      inboundConnectionThreshold: 1_000,
      reconnectRetries: 0,
    },
    connectionMonitor: { enabled: false },
    services: { identify: identify({ timeout: PATIENCE_MS }), ping: ping() },
  })
  let leaving = false
  const lost = (what: string): void => {
    if (!leaving) onLost(what)
  }
  try {
    const [connection] = node.getConnections(peerIdFromString(options.bridgePeer))
    if (connection === undefined) throw new Error('no connection to the bridge')
    connection.addEventListener('close', () => lost('connection'))
    await node.handle(ECHO_PROTOCOL, echoBack, { runOnLimitedConnection: true })
    const presence = await connection.newStream(PRESENCE_PROTOCOL, { signal: AbortSignal.timeout(PATIENCE_MS) })
    presence.addEventListener('close', () => lost('presence'))
    const list = watches ? new Set<string>() : undefined
    const reader = list === undefined ? undefined : createFrameReader((frame) => note(list, frame as PresenceFrame))
    presence.addEventListener('message', ({ data }) => {
      onPresence(data.byteLength)
      reader?.(data.subarray())
    })
    presence.send(frame({ type: 'hello', name: `peer ${address}`, device: 'browser' }))
    return {
      peer: session.peer,
      list,
      echo: (peer) => echo(node, `${firstHop}/p2p-circuit/p2p/${peer}`),
      async stop() {
        leaving = true
        await node.stop()
      },
    }
  } catch (error) {
    leaving = true
    await node.stop()
    throw error
  }
}

async function login({ origin, bridgePeer, token, address }: LightPeerOptions, key: Ed25519PrivateKey): Promise<SessionAnswer> {
  const [nonce, timestamp] = [randomBytes(16), Date.now()]
  const tokenHash = createHash('sha256').update(token).digest()
  const bridge = peerIdFromString(bridgePeer).toMultihash().bytes
  const response = await fetch(`${origin}/api/v1/sessions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Forwarded-For': address },
    signal: AbortSignal.timeout(PATIENCE_MS),
    body: JSON.stringify({
      credential: { kind: 'token', token },
      publicKey: base64urlEncode(publicKeyToProtobuf(key.publicKey)),
      timestamp,
      nonce: base64urlEncode(nonce),
      signature: base64urlEncode(await key.sign(encodeLoginStatement({ bridge, credential: 'token', tokenHash, timestamp, nonce }))),
      name: `peer ${address}`,
    }),
  })
  if (response.status !== 201) throw new Error(`the login was answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as SessionAnswer
}

function note(list: Set<string>, frame: PresenceFrame): void {
  if (frame.type === 'peers') {
    if (frame.reset === true) list.clear()
    for (const { peer } of frame.rows) list.add(peer)
  } else if (frame.type === 'gone') for (const peer of frame.peers) list.delete(peer)
}

function echoBack(stream: Stream): void {
  stream.addEventListener('message', ({ data }) => void stream.send(data.subarray().slice()))
  stream.addEventListener('remoteCloseWrite', () => {
    stream.close().catch(() => {})
  })
}

async function echo(node: Libp2p, address: string): Promise<number> {
  const startedAt = performance.now()
  const signal = AbortSignal.timeout(PATIENCE_MS)
  const connection = await node.dial(multiaddr(address), { signal })
  try {
    const stream = await connection.newStream(ECHO_PROTOCOL, { signal, runOnLimitedConnection: true })
    const frames = lpStream(stream)
    const sent = randomBytes(1_000)
    await frames.write(sent, { signal })
    const back = (await frames.read({ signal })).subarray()
    if (!sent.equals(back)) throw new Error('the echo is not what was sent')
    return performance.now() - startedAt
  } finally {
    const closed = connection.status === 'open' ? once(connection as unknown as EventTarget, 'close', { signal }) : undefined
    connection.abort(new Error('the echo is done'))
    await closed
  }
}

function frame(value: unknown): Uint8Array {
  const body = Buffer.from(JSON.stringify(value))
  return Buffer.concat([Uint8Array.of((body.length & 0x7f) | 0x80, body.length >> 7), body])
}
