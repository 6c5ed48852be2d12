/**
 * Load through circuit-relay-v2: stock js-libp2p on both sides, as a browser would set it up, the same for every relay.
 * Where a relay wants a login, that is done first, by hand.
 */
import { createHash, randomBytes, randomInt } from 'node:crypto'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Connection, Ed25519PrivateKey, Libp2p, Stream, StreamMessageEvent } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { encodeLoginStatement } from '@footbridge/shared/login'
import { base64urlEncode } from '@footbridge/shared/text-codec'
import { createLibp2p } from 'libp2p'
import type { RelayEntry } from '../subjects/subject.ts'
import { count, type Driver, type Kind, type Line } from './driver.ts'

const PROTOCOLS: Readonly<Record<Kind, string>> = { sink: '/bench/sink/1.0.0', echo: '/bench/echo/1.0.0' }
const limited = { runOnLimitedConnection: true, maxInboundStreams: 1_000, maxOutboundStreams: 1_000 }
/** Reservations asked for at a time. */
const AT_A_TIME = 8
const CLOSE_MS = 5_000

export function createLibp2pDriver(): Driver {
  const listeners = new Map<string, Libp2p>()
  const dialers = new Map<string, Promise<Libp2p>>()

  const listenOnce = async (entry: RelayEntry): Promise<string> => {
    const privateKey = await generateKeyPair('Ed25519')
    if (entry.login !== undefined) await login(entry, entry.login, privateKey)
    const node = await startNode([`${entry.address}/p2p-circuit`], privateKey)
    const name = node.peerId.toString()
    listeners.set(name, node)
    return name
  }

  const open = async (node: Libp2p, address: string, kind: Kind): Promise<Line> => {
    // `force`: a second circuit between the same two must not become the first one.
    const connection = await node.dial(multiaddr(address), { force: true })
    return toLine(connection, await connection.newStream(PROTOCOLS[kind], limited))
  }

  return {
    async listen(entry, wanted) {
      const names: string[] = []
      while (names.length < wanted) {
        const next = Array.from({ length: Math.min(AT_A_TIME, wanted - names.length) }, () => listenOnce(entry))
        names.push(...(await Promise.all(next)))
      }
      return names
    },
    async unlisten(names) {
      await Promise.all(names.map(async (name) => await listeners.get(name)?.stop()))
      for (const name of names) listeners.delete(name)
    },
    offer: (_entry, names) => Promise.resolve([...names]),
    async listenDirect() {
      const node = await startNode(['/ip4/127.0.0.1/tcp/0/ws'])
      listeners.set(node.peerId.toString(), node)
      return node.getMultiaddrs()[0]?.toString() ?? ''
    },
    async open(entry, target, lane, kind) {
      const key = `${entry.address} ${lane}`
      const dialer = dialers.get(key) ?? startDialer(entry)
      dialers.set(key, dialer)
      return await open(await dialer, `${entry.address}/p2p-circuit/p2p/${target}`, kind)
    },
    openDirect: async (address) => await open(await startNode([]), address, 'echo'),
  }
}

/** Connected to the relay already: that is no part of a circuit's set-up. */
async function startDialer(entry: RelayEntry): Promise<Libp2p> {
  const node = await startNode([])
  await node.dial(multiaddr(entry.address))
  return node
}

async function startNode(listen: readonly string[], privateKey?: Ed25519PrivateKey): Promise<Libp2p> {
  const node = await createLibp2p({
    ...(privateKey !== undefined && { privateKey }),
    addresses: { listen: [...listen] },
    transports: [webSockets(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // The default of five a second counts relayed connections too, and by the relay's address.
    connectionManager: { inboundConnectionThreshold: 10_000, maxIncomingPendingConnections: 1_000 },
    // On a machine this busy a ping is late now and then, and the default ends the connection for it.
    connectionMonitor: { abortConnectionOnPingFailure: false },
    services: { identify: identify(), ping: ping() },
  })
  await node.handle(
    PROTOCOLS.sink,
    (stream) => {
      stream.addEventListener('message', ({ data }) => count(data.byteLength))
      stream.addEventListener('remoteCloseWrite', () => void stream.close().catch(() => {}))
    },
    limited,
  )
  await node.handle(PROTOCOLS.echo, (stream) => stream.addEventListener('message', ({ data }) => void stream.send(data)), limited)
  return node
}

function toLine(connection: Connection, stream: Stream): Line {
  let heard = (_bytes: number): void => {}
  stream.addEventListener('message', ({ data }: StreamMessageEvent) => heard(data.byteLength))
  return {
    send: (bytes) => stream.send(bytes),
    drained: () =>
      new Promise((resolve, reject) => {
        if (!stream.writableNeedsDrain) return resolve()
        const end = (): void => {
          stream.removeEventListener('drain', onDrain)
          stream.removeEventListener('close', onClose)
        }
        const onDrain = (): void => {
          end()
          resolve()
        }
        const onClose = (): void => {
          end()
          reject(new Error('the stream closed while there was more to send'))
        }
        stream.addEventListener('drain', onDrain)
        stream.addEventListener('close', onClose)
      }),
    onData: (listener) => (heard = listener),
    async close() {
      await connection.close({ signal: AbortSignal.timeout(CLOSE_MS) }).catch((error: Error) => connection.abort(error))
    },
  }
}

/** `POST /api/v1/sessions`, from an address of its own in 10.0.0.0/8: the bridge counts logins by address. */
async function login(entry: RelayEntry, { origin, token }: NonNullable<RelayEntry['login']>, key: Ed25519PrivateKey): Promise<void> {
  const [nonce, timestamp] = [randomBytes(16), Date.now()]
  const tokenHash = createHash('sha256').update(token).digest()
  const bridge = peerIdFromString(entry.address.slice(entry.address.lastIndexOf('/') + 1)).toMultihash().bytes
  const signature = await key.sign(encodeLoginStatement({ bridge, credential: 'token', tokenHash, timestamp, nonce }))
  const response = await fetch(`${origin}/api/v1/sessions`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'X-Forwarded-For': `10.${randomInt(256)}.${randomInt(256)}.${randomInt(1, 255)}`,
    },
    body: JSON.stringify({
      credential: { kind: 'token', token },
      publicKey: base64urlEncode(publicKeyToProtobuf(key.publicKey)),
      timestamp,
      nonce: base64urlEncode(nonce),
      signature: base64urlEncode(signature),
    }),
  })
  if (response.status !== 201) throw new Error(`the login was answered ${response.status}: ${await response.text()}`)
}
