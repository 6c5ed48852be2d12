/**
 * For tests: a process with hostile pairs of peers, one that sends without end and one that accepts and never reads. A process of its own, so that the
 * memory of the bridge under test is not mixed with theirs. Argument: how many pairs; the bridge comes as the first message. Says `flooding`.
 */
import { createHash, randomBytes } from 'node:crypto'
import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey, Libp2p, PrivateKey, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { encodeLoginStatement } from '@footbridge/shared/login'
import { base64urlEncode } from '@footbridge/shared/text-codec'
import { createLibp2p } from 'libp2p'
import { HOP_PROTOCOL, STOP_PROTOCOL, encodeHopMessage, encodeStopMessage } from './wire.ts'

interface Target {
  readonly url: string
  readonly bridgePeer: string
  readonly token: string
  readonly address: string
}

process.once('message', (target) => {
  run(target as Target, Number(process.argv[2])).then(
    () => process.send?.('flooding'),
    (error: unknown) => process.send?.(String(error)),
  )
})

async function run(target: Target, pairs: number): Promise<void> {
  for (let index = 0; index < pairs; index++) {
    const key = await generateKeyPair('Ed25519')
    await login(target, key)
    const [reader, sender] = [await start(key), await start()]
    await reader.handle(
      STOP_PROTOCOL,
      async (stream) => {
        const frames = lpStream(stream)
        await frames.read()
        await frames.write(encodeStopMessage({ type: 'STATUS', status: 100 }))
        frames.unwrap().pause()
      },
      { maxInboundStreams: 8 },
    )
    await ask(reader, target, encodeHopMessage({ type: 'RESERVE' }))
    const id = reader.peerId.toMultihash().bytes
    flood(await ask(sender, target, encodeHopMessage({ type: 'CONNECT', peer: { id, addrs: [] } })))
  }
}

const start = (privateKey?: PrivateKey): Promise<Libp2p> =>
  createLibp2p({
    ...(privateKey && { privateKey }),
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
  })

async function ask(node: Libp2p, { address }: Target, message: Uint8Array): Promise<Stream> {
  const frames = lpStream(await (await node.dial(multiaddr(address))).newStream(HOP_PROTOCOL))
  await frames.write(message)
  await frames.read()
  return frames.unwrap()
}

function flood(stream: Stream): void {
  const chunk = new Uint8Array(64 * 1024)
  const fill = (): void => {
    while (stream.status === 'open' && stream.send(chunk));
  }
  stream.addEventListener('drain', () => queueMicrotask(fill))
  fill()
}

async function login({ url, bridgePeer, token }: Target, key: Ed25519PrivateKey): Promise<void> {
  const [nonce, timestamp] = [randomBytes(16), Date.now()]
  const tokenHash = createHash('sha256').update(token).digest()
  const bridge = peerIdFromString(bridgePeer).toMultihash().bytes
  const response = await fetch(`${url}/api/v1/sessions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      credential: { kind: 'token', token },
      publicKey: base64urlEncode(publicKeyToProtobuf(key.publicKey)),
      timestamp,
      nonce: base64urlEncode(nonce),
      signature: base64urlEncode(await key.sign(encodeLoginStatement({ bridge, credential: 'token', tokenHash, timestamp, nonce }))),
    }),
  })
  if (response.status !== 201) throw new Error(await response.text())
}
