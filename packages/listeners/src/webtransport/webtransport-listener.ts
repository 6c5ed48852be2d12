/**
 * A libp2p transport for Node that listens for WebTransport, which js-libp2p lacks: browsers reach a bridge that has no certificate from an authority.
 * This file holds what lives long: the public port, the native servers behind it, the change of certificates, and the caps.
 * Next: handshake.ts for one session, udp-front.ts for the port, SPEC.md for the rules. Not here: dialling; browsers do that, Node has no need to.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { transportSymbol, type Listener, type ListenerEvents, type Transport, type Upgrader } from '@libp2p/interface'
import { getNetConfig, getThinWaistAddresses } from '@libp2p/utils'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { TypedEventEmitter } from 'main-event'
import type { Binding, NativeRequest } from './binding.ts'
import { createCertificateCalendar } from './certificate-calendar.ts'
import { acceptRequest, type HandshakeComponents } from './handshake.ts'
import { createServerPool } from './server-pool.ts'
import { createUdpFront, type ClientPlace, type Neighbour, type UdpFront, type UdpFrontLimits } from './udp-front.ts'
import type { WebTransportConnection } from './webtransport-connection.ts'

export interface WebTransportListenerLimits extends UdpFrontLimits {
  /** Requests whose handshake is not done, in all. */
  readonly maxUpgrading: number
  /** Sessions in all. */
  readonly maxSessions: number
  /** From the request to the libp2p connection. */
  readonly handshakeMs: number
  /** Streams that a client may open before its handshake is done: what a tab does that is in a hurry. */
  readonly maxEarlyStreams: number
  /** How often each session is kept alive; well below the 30 s after which QUIC gives up. */
  readonly keepAliveMs: number
  /** How often the clock is looked at for a change of certificates. */
  readonly certificateCheckMs: number
}

export const DEFAULT_WEBTRANSPORT_LIMITS: WebTransportListenerLimits = {
  // Each holds a file descriptor; above the sessions, because flows outlive them by idleFlowMs.
  maxFlows: 6_000,
  // A whole school sits behind one address.
  maxFlowsPerAddress: 2_000,
  // Each has a native server for itself meanwhile (server-pool.ts). A handshake takes a few round trips, and who finds no place asks again within a second.
  maxPendingFlows: 256,
  maxPendingFlowsPerAddress: 64,
  pendingFlowMs: 10_000,
  idleFlowMs: 45_000,
  maxUpgrading: 256,
  maxSessions: 4_000,
  handshakeMs: 10_000,
  maxEarlyStreams: 8,
  keepAliveMs: 10_000,
  certificateCheckMs: 60_000,
}

/** How long the front stays when the listener closes: sessions end with packets that leave after they are closed. */
const LAST_WORDS_MS = 250

export interface WebTransportListener {
  /** For libp2p's `transports`. One node, one address. */
  readonly transport: (components: HandshakeComponents) => Transport
  /** What follows the host and port in an address: `/quic-v1/webtransport/certhash/…/certhash/…`, current and next. Changes every thirteen days. */
  addressSuffix(): string
  /** The UDP port while it listens. */
  readonly port: number | undefined
  readonly sessions: number
  /** Requests whose handshake is not done. */
  readonly upgrading: number
}

export interface WebTransportListenerOptions {
  readonly binding: Binding
  /** At least 32 bytes that only this server knows, and the same after a restart: certificates are made from it. */
  readonly secret: Uint8Array
  readonly limits?: Partial<WebTransportListenerLimits>
  /** Another protocol on the same UDP port, such as STUN. */
  readonly neighbour?: Neighbour
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

export function createWebTransportListener(options: WebTransportListenerOptions): WebTransportListener {
  const { binding, secret, neighbour, now = Date.now } = options
  const limits = { ...DEFAULT_WEBTRANSPORT_LIMITS, ...options.limits }
  const calendar = createCertificateCalendar(secret)
  const connections = new Set<WebTransportConnection>()
  let upgrading = 0
  let port: number | undefined
  let isTaken = false

  const hashes = (): Uint8Array[] => {
    const { previous, current, next } = calendar.at(now())
    return [previous.hash, current.hash, next.hash]
  }

  const addressSuffix = (): string => {
    const { current, next } = calendar.at(now())
    return `/quic-v1/webtransport${[current, next].map(({ hash }) => `/certhash/u${Buffer.from(hash).toString('base64url')}`).join('')}`
  }

  const serve = async (request: NativeRequest, client: ClientPlace | undefined, node: Node): Promise<void> => {
    if (client === undefined || upgrading >= limits.maxUpgrading || connections.size >= limits.maxSessions) {
      await request.reject(503)
      return
    }
    upgrading++
    try {
      const signal = AbortSignal.any([node.stop.signal, AbortSignal.timeout(limits.handshakeMs)])
      const connection = await acceptRequest({
        request,
        client,
        ...node,
        certificateHashes: hashes(),
        maxEarlyStreams: limits.maxEarlyStreams,
        signal,
      })
      if (connection === undefined || connection.status !== 'open') return
      connections.add(connection)
      connection.addEventListener('close', () => connections.delete(connection))
    } finally {
      upgrading--
    }
  }

  const createListener = (components: HandshakeComponents, upgrader: Upgrader): Listener => {
    const log = components.logger.forComponent('libp2p:webtransport:listener')
    const events = new TypedEventEmitter<ListenerEvents>()
    const stop = new AbortController()
    const timers: NodeJS.Timeout[] = []
    const node: Node = { components, upgrader, stop }
    let front: UdpFront | undefined
    let address: Multiaddr | undefined

    const pool = createServerPool({
      binding,
      onRequest: (request, serverPort) => {
        serve(request, front?.claim(serverPort), node).catch((error: unknown) => {
          log('a session failed - %s', error)
        })
      },
      onError: (error) => {
        log.error('a server accepts no more - %e', error)
      },
    })

    let isChanging = false
    /** New sessions go to servers with the current certificate; those that are open stay where they came. */
    const checkCertificate = (): void => {
      const { current } = calendar.at(now())
      if (isChanging || current === pool.certificate) return
      isChanging = true
      pool
        .use(current)
        .then(() => {
          if (!stop.signal.aborted) events.safeDispatchEvent('listening')
        })
        .catch((error: unknown) => {
          log.error('the new certificate is not in use yet - %e', error)
        })
        .finally(() => {
          isChanging = false
        })
    }

    return Object.assign(events, {
      async listen(listenAddress: Multiaddr): Promise<void> {
        if (isTaken) throw new Error('one WebTransport listener serves one address')
        isTaken = true
        try {
          const { host, port: wanted } = getNetConfig(listenAddress)
          front = createUdpFront(limits, pool, neighbour)
          port = await front.bind({ host, port: wanted ?? 0 })
          address = listenAddress
          await pool.use(calendar.at(now()).current)
        } catch (error) {
          isTaken = false
          port = undefined
          await front?.close()
          throw error
        }
        timers.push(
          setInterval(checkCertificate, limits.certificateCheckMs).unref(),
          setInterval(() => {
            for (const connection of connections) connection.keepAlive()
          }, limits.keepAliveMs).unref(),
        )
        events.safeDispatchEvent('listening')
      },
      getAddrs: (): Multiaddr[] => getThinWaistAddresses(address, port).map((thin) => thin.encapsulate(multiaddr(addressSuffix()))),
      updateAnnounceAddrs(): void {},
      async close(): Promise<void> {
        if (stop.signal.aborted || address === undefined) return
        stop.abort()
        for (const timer of timers) clearTimeout(timer)
        await Promise.all([...connections].map((connection) => connection.close().catch(() => {})))
        await pool.close()
        if (front !== undefined && front.flows > 0) await delay(LAST_WORDS_MS)
        await front?.close()
        isTaken = false
        port = undefined
        events.safeDispatchEvent('close')
      },
    })
  }

  return {
    transport: (components) => ({
      [transportSymbol]: true,
      [Symbol.toStringTag]: '@footbridge/webtransport-listener',
      dial: () => Promise.reject(new Error('this transport only listens')),
      createListener: ({ upgrader }) => createListener(components, upgrader),
      listenFilter: (addresses) => addresses.filter((each) => each.getComponents().at(-1)?.name === 'webtransport'),
      dialFilter: () => [],
    }),
    addressSuffix,
    get port() {
      return port
    },
    get sessions() {
      return connections.size
    },
    get upgrading() {
      return upgrading
    },
  }
}

interface Node {
  readonly components: HandshakeComponents
  readonly upgrader: Upgrader
  readonly stop: AbortController
}
