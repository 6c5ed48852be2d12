/**
 * QUIC and WebRTC-direct, which come as native modules: loaded when a bridge starts, and done without where they do not load.
 * Their numbers are here because both keep what a peer sends outside of Node's memory, where no limit of ours reaches.
 */
import type { ComponentLogger, Metrics, PrivateKey, Transport } from '@libp2p/interface'
import type { WebRTCDirectTransportComponents } from '@libp2p/webrtc'
import { CERTIFICATE_LIFE_MS, createCertificateStore, keepingCertificate } from './certificate-store.ts'

export interface NativeTransports {
  readonly quic?: (components: QuicComponents) => Transport
  readonly webRtcDirect?: (components: WebRTCDirectTransportComponents) => Transport
  /** What this machine does without, and why. */
  readonly missing: readonly { readonly what: 'QUIC' | 'WebRTC-direct'; readonly reason: string }[]
}

export interface QuicComponents {
  readonly metrics?: Metrics
  readonly logger: ComponentLogger
  readonly privateKey: PrivateKey
}

/** Unread bytes of one stream and of one connection: what quinn holds for a peer whose circuits do not move. A connection of 50 ms still carries 80 MB a second. */
const QUIC_STREAM_BYTES = 1024 * 1024
const QUIC_CONNECTION_BYTES = 4 * 1024 * 1024
/** A dead peer is noticed in this time, as on the other transports. */
const QUIC_IDLE_MS = 20_000
const QUIC_KEEP_ALIVE_MS = 7_000

/**
 * @param options.webRtcDirect `false` leaves it out, and its module unloaded.
 * @param options.dataDir where its certificate is kept; undefined for one that nobody will remember.
 */
export async function loadNativeTransports(options: {
  readonly maxStreams: number
  readonly dataDir?: string
  readonly webRtcDirect?: false
}): Promise<NativeTransports> {
  const missing: NativeTransports['missing'][number][] = []
  const load = async <Module>(what: 'QUIC' | 'WebRTC-direct', module: () => Promise<Module>): Promise<Module | undefined> => {
    try {
      return await module()
    } catch (error) {
      // The first line: what follows is the list of every file that was tried.
      missing.push({ what, reason: (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '' })
      return undefined
    }
  }
  const quic = await load('QUIC', () => import('@chainsafe/libp2p-quic'))
  const webRtc = options.webRtcDirect === false ? undefined : await load('WebRTC-direct', () => import('@libp2p/webrtc'))
  // No STUN servers of others: a direct address says where the bridge is, and nobody else need hear of its dials.
  const direct = webRtc?.webRTCDirect({ rtcConfiguration: { iceServers: [] }, certificateLifespan: CERTIFICATE_LIFE_MS })
  return {
    ...(quic && {
      quic: quic.quic({
        maxConcurrentStreamLimit: options.maxStreams,
        maxStreamData: QUIC_STREAM_BYTES,
        maxConnectionData: QUIC_CONNECTION_BYTES,
        maxIdleTimeout: QUIC_IDLE_MS,
        keepAliveInterval: QUIC_KEEP_ALIVE_MS,
      }),
    }),
    ...(direct && {
      webRtcDirect: options.dataDir === undefined ? direct : keepingCertificate(direct, createCertificateStore(options.dataDir)),
    }),
    missing,
  }
}
