/**
 * Dials the bridge as peers do, to the end of a handshake with the right key: by TCP, WebSocket, QUIC and WebRTC-direct with stock libp2p, by WebTransport with the native client.
 */
import { noise } from '@libp2p/noise'
import type { ComponentLogger, PrivateKey } from '@libp2p/interface'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { getNetConfig } from '@libp2p/utils'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { loadBinding } from '@footbridge/listeners/webtransport/binding'
import { WEBTRANSPORT_PATH } from '@footbridge/listeners/webtransport/request-url'
import { WebTransportConnection } from '@footbridge/listeners/webtransport/webtransport-connection'
import { WebTransportStream } from '@footbridge/listeners/webtransport/webtransport-stream'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import { loadNativeTransports } from '../node/native-transports.ts'
import { createLog, libp2pLogger } from '../telemetry/log.ts'

/** @returns milliseconds to the end of the handshake. @throws when it is not reached. */
export type Dial = (address: string) => Promise<number>

const TIMEOUT_MS = 8_000
/** None is opened. */
const MAX_STREAMS = 16

/** A peer of its own each time: two dials of one peer to another are one to libp2p. */
export async function dial(address: string): Promise<number> {
  const privateKey = await generateKeyPair('Ed25519')
  const logger = libp2pLogger(createLog({ level: 'silent' }))
  const startedAt = performance.now()
  if (address.includes('/webtransport')) {
    await dialWebTransport(address, privateKey, logger)
    return performance.now() - startedAt
  }
  const node = await createLibp2p({
    privateKey,
    logger,
    transports: [tcp(), webSockets(), ...(await nativeTransportsFor(address))],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    connectionGater: { denyDialMultiaddr: () => false },
  })
  try {
    const connection = await node.dial(multiaddr(address), { signal: AbortSignal.timeout(TIMEOUT_MS) })
    const elapsedMs = performance.now() - startedAt
    connection.abort(new Error('the check is over'))
    return elapsedMs
  } finally {
    await node.stop()
  }
}

/** @throws when this machine has not the module that the address takes */
async function nativeTransportsFor(address: string): Promise<NonNullable<Libp2pOptions['transports']>> {
  if (!/\/(quic-v1|webrtc-direct)\b/.test(address)) return []
  const { quic, webRtcDirect, missing } = await loadNativeTransports({ maxStreams: MAX_STREAMS })
  const [wanted, what] = address.includes('/webrtc-direct') ? ([webRtcDirect, 'WebRTC-direct'] as const) : ([quic, 'QUIC'] as const)
  if (wanted === undefined) throw new Error(missing.find((each) => each.what === what)?.reason ?? `this machine has no ${what}`)
  return [wanted]
}

/** As docs of libp2p's WebTransport say: the certificate by its hash, then noise on the first stream, which owns up to the hashes. */
async function dialWebTransport(text: string, privateKey: PrivateKey, logger: ComponentLogger): Promise<void> {
  const loaded = loadBinding()
  if (!('binding' in loaded)) throw new Error(loaded.reason)
  const address = multiaddr(text)
  const components = address.getComponents()
  const hashes = components.flatMap(({ name, value = '' }) => (name === 'certhash' ? [Buffer.from(value.slice(1), 'base64url')] : []))
  const expected = components.find(({ name }) => name === 'p2p')?.value
  const { host, port } = getNetConfig(address)
  // The first two bytes of a multihash say which hash it is.
  const client = loaded.binding.NapiClient.withCertificateHashes(hashes.map((hash) => hash.subarray(2)))
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  const session = await within(
    signal,
    client.connect(`https://${host.includes(':') ? `[${host}]` : host}:${port}${WEBTRANSPORT_PATH}?type=noise`),
  )
  const connection = new WebTransportConnection({ remoteAddr: address, log: logger.forComponent('doctor'), direction: 'outbound' })
  connection.attach(session)
  try {
    const stream = new WebTransportStream({
      stream: await within(signal, session.openBi()),
      id: 'handshake',
      direction: 'outbound',
      log: connection.log,
    })
    const encrypter = noise()({ peerId: peerIdFromPrivateKey(privateKey), privateKey, logger, upgrader: UNUSED })
    const { remoteExtensions } = await encrypter.secureOutbound(stream, {
      signal,
      skipStreamMuxerNegotiation: true,
      ...(expected !== undefined && { remotePeer: peerIdFromString(expected) }),
    })
    const told = (remoteExtensions?.webtransportCerthashes ?? []).map((hash) => Buffer.from(hash).toString('hex'))
    if (!hashes.every((hash) => told.includes(hash.toString('hex'))))
      throw new Error('the bridge does not own up to the hashes in its address')
  } finally {
    connection.abort(new Error('the check is over'))
  }
}

/** Noise asks it for muxers, which WebTransport does without. */
const UNUSED = { getStreamMuxers: () => new Map() } as unknown as Parameters<ReturnType<typeof noise>>[0]['upgrader']

async function within<Value>(signal: AbortSignal, work: Promise<Value>): Promise<Value> {
  const late = Promise.withResolvers<never>()
  const onAbort = (): void => late.reject(new Error('no answer'))
  signal.addEventListener('abort', onAbort)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
