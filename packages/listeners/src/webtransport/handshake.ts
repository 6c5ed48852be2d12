/**
 * From a request for a session to a libp2p connection: path, gate, noise on the first stream, upgrade. Everything under one deadline.
 * The client is noise's initiator; our second message carries the hashes of our certificates, so that it knows that the key behind the certificate which
 * it took by its hash is the one of the peer that it wanted. Not here: how many may do this at once (webtransport-listener.ts).
 */
import type { ComponentLogger, ConnectionGater, PeerId, PrivateKey, Upgrader } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { raceSignal } from 'race-signal'
import type { NativeRequest, NativeSession } from './binding.ts'
import { acceptStreams, type IncomingStreams } from './incoming-streams.ts'
import { isLibp2pRequest } from './request-url.ts'
import type { ClientPlace } from './udp-front.ts'
import { SESSION_CODES, WebTransportConnection } from './webtransport-connection.ts'
import { WEBTRANSPORT_MUXER, WebTransportMuxer } from './webtransport-muxer.ts'
import { WebTransportStream } from './webtransport-stream.ts'

/** What of libp2p a listener needs. */
export interface HandshakeComponents {
  readonly peerId: PeerId
  readonly privateKey: PrivateKey
  readonly logger: ComponentLogger
  readonly connectionGater: ConnectionGater
}

export interface HandshakeOptions {
  readonly request: NativeRequest
  readonly client: ClientPlace
  readonly components: HandshakeComponents
  readonly upgrader: Upgrader
  /** Multihashes of our certificates: previous, current, next. */
  readonly certificateHashes: Uint8Array[]
  /** Streams that a client may open before it is known. */
  readonly maxEarlyStreams: number
  /** Ends the handshake, not the connection. */
  readonly signal: AbortSignal
}

/** @returns undefined when the request was refused. @throws when the handshake failed; the session is closed then. */
export async function acceptRequest(options: HandshakeOptions): Promise<WebTransportConnection | undefined> {
  const { request, client, components, maxEarlyStreams, signal } = options
  const connection = new WebTransportConnection({
    remoteAddr: addressOf(client),
    log: components.logger.forComponent('libp2p:webtransport'),
  })
  const refusal = await raceSignal(refuse(options, connection), signal)
  if (refusal !== undefined) {
    await request.reject(refusal)
    return undefined
  }
  const session = await grant(request, signal)
  connection.attach(session)
  const streams = acceptStreams(session, maxEarlyStreams, () => {
    connection.abort(new Error('too many streams before the handshake'))
  })
  try {
    await upgrade(options, { connection, session, streams })
    return connection
  } catch (error) {
    const cause = error instanceof Error ? error : new Error('the handshake failed')
    connection.abort(cause)
    throw cause
  }
}

function addressOf({ address, port }: ClientPlace): Multiaddr {
  // A socket for both families shows IPv4 in IPv6, and a link-local address with its zone.
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  return multiaddr(`/${plain.includes(':') ? 'ip6' : 'ip4'}/${plain}/udp/${port}/quic-v1/webtransport`)
}

/** The HTTP status of a refusal. */
async function refuse({ request, components }: HandshakeOptions, connection: WebTransportConnection): Promise<400 | 403 | undefined> {
  if (!isLibp2pRequest(await request.url)) return 400
  // The upgrader asks again later; there it could only cut the session, and the client would not know why.
  return (await components.connectionGater.denyInboundConnection?.(connection)) === true ? 403 : undefined
}

async function grant(request: NativeRequest, signal: AbortSignal): Promise<NativeSession> {
  const granting = request.ok()
  try {
    return await raceSignal(granting, signal)
  } catch (error) {
    // Whatever still becomes of it, nobody waits for it.
    granting.then(
      (session) => {
        session.close(SESSION_CODES.failed, '')
      },
      () => {},
    )
    throw error
  }
}

async function upgrade(
  { components, upgrader, certificateHashes, signal }: HandshakeOptions,
  parts: { readonly connection: WebTransportConnection; readonly session: NativeSession; readonly streams: IncomingStreams },
): Promise<void> {
  const { connection, session, streams } = parts
  const stream = new WebTransportStream({
    stream: await raceSignal(streams.first, signal),
    id: 'handshake',
    direction: 'inbound',
    log: connection.log,
  })
  const { peerId, privateKey, logger } = components
  const encrypter = noise({ extensions: { webtransportCerthashes: certificateHashes } })({ peerId, privateKey, logger, upgrader })
  const { remotePeer } = await encrypter.secureInbound(stream, { signal, skipStreamMuxerNegotiation: true })
  await stream.close({ signal })

  let muxer: WebTransportMuxer | undefined
  await upgrader.upgradeInbound(connection, {
    skipEncryption: true,
    skipProtection: true,
    remotePeer,
    muxerFactory: {
      protocol: WEBTRANSPORT_MUXER,
      createStreamMuxer: () => (muxer = new WebTransportMuxer(connection, session)),
    },
    signal,
  })
  streams.deliver((each) => muxer?.receive(each))
}
