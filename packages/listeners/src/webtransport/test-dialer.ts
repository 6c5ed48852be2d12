/**
 * For tests: a libp2p transport for Node that dials WebTransport with the native client, checking what a browser checks. No more than the handshake is its
 * own; streams and muxer are the listener's, because who proves those is Chromium with the stock client (chromium.native.test.ts).
 */
import { transportSymbol, type ComponentLogger, type PeerId, type PrivateKey, type Transport, type Upgrader } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { getNetConfig } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import { raceSignal } from 'race-signal'
import { loadBinding, type Binding, type NativeSession } from './binding.ts'
import { acceptStreams } from './incoming-streams.ts'
import { WEBTRANSPORT_PATH } from './request-url.ts'
import { WebTransportConnection } from './webtransport-connection.ts'
import { WEBTRANSPORT_MUXER, WebTransportMuxer } from './webtransport-muxer.ts'
import { WebTransportStream } from './webtransport-stream.ts'

/** @throws when the native module does not load: these tests must not be run by a Node that cannot. */
export function nativeBinding(): Binding {
  const loaded = loadBinding()
  if (!('binding' in loaded)) throw new Error(`WebTransport cannot run here: ${loaded.reason}`)
  return loaded.binding
}

/** Multihashes in an address. */
export function hashesOf(address: Multiaddr): Buffer[] {
  return address.getComponents().flatMap(({ name, value = '' }) => (name === 'certhash' ? [Buffer.from(value.slice(1), 'base64url')] : []))
}

/** A session with the listener, before any handshake. */
export async function openSession(address: Multiaddr, path = `${WEBTRANSPORT_PATH}?type=noise`): Promise<NativeSession> {
  const { host, port } = getNetConfig(address)
  const client = nativeBinding().NapiClient.withCertificateHashes(hashesOf(address).map((hash) => hash.subarray(2)))
  return client.connect(`https://${host.includes(':') ? `[${host}]` : host}:${port}${path}`)
}

/** @param onSession is given each session before its handshake. */
export function testDialer(
  onSession: (session: NativeSession) => void = () => {},
): (components: { logger: ComponentLogger; peerId: PeerId; privateKey: PrivateKey; upgrader: Upgrader }) => Transport {
  return (components) => ({
    [transportSymbol]: true,
    [Symbol.toStringTag]: 'test-webtransport-dialer',
    createListener: () => {
      throw new Error('this transport only dials')
    },
    listenFilter: () => [],
    dialFilter: (addresses) => addresses.filter((address) => hashesOf(address).length > 0),
    async dial(address, { signal, upgrader }) {
      signal.throwIfAborted()
      const session = await raceSignal(openSession(address), signal)
      onSession(session)
      const connection = new WebTransportConnection({
        remoteAddr: address,
        log: components.logger.forComponent('libp2p:test-webtransport'),
        direction: 'outbound',
      })
      connection.attach(session)
      try {
        const stream = new WebTransportStream({
          stream: await session.openBi(),
          id: 'handshake',
          direction: 'outbound',
          log: connection.log,
        })
        const { remotePeer, remoteExtensions } = await noise()(components).secureOutbound(stream, {
          signal,
          skipStreamMuxerNegotiation: true,
        })
        await stream.close({ signal })
        const told = (remoteExtensions?.webtransportCerthashes ?? []).map((hash: Uint8Array) => Buffer.from(hash).toString('hex'))
        if (!hashesOf(address).every((hash) => told.includes(hash.toString('hex'))))
          throw new Error('the peer does not own all hashes of the address')
        let muxer: WebTransportMuxer | undefined
        const upgraded = await upgrader.upgradeOutbound(connection, {
          signal,
          skipEncryption: true,
          skipProtection: true,
          remotePeer,
          muxerFactory: { protocol: WEBTRANSPORT_MUXER, createStreamMuxer: () => (muxer = new WebTransportMuxer(connection, session)) },
        })
        const streams = acceptStreams(session, 8, () => {})
        void streams.first.then(
          (first) => muxer?.receive(first),
          () => {},
        )
        streams.deliver((each) => muxer?.receive(each))
        return upgraded
      } catch (error) {
        connection.abort(error instanceof Error ? error : new Error('the dial failed'))
        throw error
      }
    },
  })
}
