/**
 * Dials one first hop for itself, to the point where the bridge has proved its PeerID, and closes it again. With a throw-away key and no muxer, so that
 * nothing at the bridge takes it for this device: its session, its reservation and the live link stay as they are. The tunnel needs the session's access
 * token, and the bridge sees another key only after it has shown its own.
 * Not here: what a failure means (probe-hop.ts), the link that the app lives on (bridge-link.ts).
 */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, Ed25519PrivateKey, MultiaddrConnection, PeerId, StreamMuxerFactory, Transport, Upgrader } from '@libp2p/interface'
import { defaultLogger } from '@libp2p/logger'
import { select } from '@libp2p/multistream-select'
import { noise } from '@libp2p/noise'
import { peerIdFromPrivateKey, peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { FirstHop } from '../api.ts'
import { closingWebSockets } from '../node/web-sockets.ts'

/** `opening`: until bytes can be sent. `answering`: until some come back. `proving`: until the bridge has shown who it is. */
export type HopStep = 'opening' | 'answering' | 'proving'

const NOISE = '/noise'
const PING = '/ipfs/ping/1.0.0'

export interface HopDialParts {
  readonly kind: FirstHop['kind']
  readonly address: string
  readonly accessToken: string | undefined
  readonly steady: () => number
  readonly onStep: (step: HopStep) => void
  readonly signal: AbortSignal
}

export interface HopTimes {
  readonly connectMs: number
  readonly proveMs: number
  readonly rttMs: number
}

export type HopDial = (parts: HopDialParts) => Promise<HopTimes>

/** @throws whatever the transport says */
export const dialHop: HopDial = async (parts) => {
  const { address, steady, onStep, signal } = parts
  const startedAt = steady()
  let openedAt = startedAt
  let provedAt = startedAt
  let rttMs = 0
  let opened: MultiaddrConnection | undefined
  const target = multiaddr(address)
  const bridge = target.getComponents().findLast(({ name }) => name === 'p2p')?.value
  const remotePeer = bridge === undefined ? undefined : peerIdFromString(bridge)
  const privateKey = await generateKeyPair('Ed25519')

  const passed = (step: HopStep): void => {
    if (step === 'answering' || openedAt === startedAt) openedAt = steady()
    onStep(step)
  }

  /** In libp2p's place: the greeting and Noise, and no more. */
  const greet = async (connection: MultiaddrConnection): Promise<void> => {
    passed('answering')
    rttMs = await selected(connection, NOISE)
    passed('proving')
    const encrypter = noise()(encrypterComponents(privateKey))
    await encrypter.secureOutbound(connection, { signal, ...(remotePeer && { remotePeer }), skipStreamMuxerNegotiation: true })
    provedAt = steady()
  }

  /** WebTransport has proved it before it calls: what is left is a round trip on a stream. */
  const open = async (connection: MultiaddrConnection, muxerFactory: StreamMuxerFactory): Promise<void> => {
    provedAt = steady()
    const stream = await muxerFactory.createStreamMuxer(connection).createStream({ signal })
    rttMs = await selected(stream, PING)
  }

  const selected = async (stream: Parameters<typeof select>[0], protocol: string): Promise<number> => {
    const askedAt = steady()
    await select(stream, protocol, { signal })
    return steady() - askedAt
  }

  const upgrader = {
    async upgradeOutbound(connection: MultiaddrConnection, options: { muxerFactory?: StreamMuxerFactory }): Promise<Connection> {
      opened = connection
      await (options.muxerFactory === undefined ? greet(connection) : open(connection, options.muxerFactory))
      // Nobody uses it: it is closed below.
      return {} as Connection
    },
    getStreamMuxers: () => new Map(),
  } as unknown as Upgrader

  const transport = await transportOf(parts, privateKey, upgrader)
  onStep('opening')
  const onProgress = ({ type }: { type: string }): void => {
    if (type === 'webtransport:open-authentication-stream') passed('answering')
    if (type === 'webtransport:close-authentication-stream') passed('proving')
  }
  try {
    await transport.dial(target, { signal, upgrader, onProgress: onProgress as never })
    return { connectMs: openedAt - startedAt, proveMs: provedAt - openedAt, rttMs }
  } finally {
    opened?.abort(new Error('the check-up is done with it'))
  }
}

async function transportOf({ kind, accessToken }: HopDialParts, privateKey: Ed25519PrivateKey, upgrader: Upgrader): Promise<Transport> {
  const logger = defaultLogger()
  switch (kind) {
    case 'websocket':
      return closingWebSockets()({ logger } as never)
    case 'tunnel': {
      const { tunnel } = await import('@footbridge/protocols/tunnel/tunnel-transport')
      return tunnel({ accessToken: () => accessToken })({ logger })
    }
    case 'webtransport': {
      const { webTransport } = await import('@libp2p/webtransport')
      return webTransport()({ logger, privateKey, peerId: peerIdFromPrivateKey(privateKey), upgrader })
    }
  }
}

function encrypterComponents(privateKey: Ed25519PrivateKey): {
  peerId: PeerId
  privateKey: Ed25519PrivateKey
  logger: never
  upgrader: never
} {
  const logger = defaultLogger()
  const upgrader = { getStreamMuxers: () => new Map() }
  return { peerId: peerIdFromPrivateKey(privateKey), privateKey, logger: logger as never, upgrader: upgrader as never }
}
