/**
 * A libp2p transport for Node whose listener is fed by somebody else's HTTP upgrade, so that one port serves pages, an API and libp2p.
 * The HTTP server asks `admits` before it upgrades and hands each socket to `accept`; from there on it is an ordinary libp2p connection.
 * Not here: HTTP, paths, Origin and proxies (apps/bridge/src/http/sockets.ts); dialling (the bridge dials nobody over WebSocket).
 */
import { transportSymbol, type ComponentLogger, type Listener, type ListenerEvents, type Transport, type Upgrader } from '@libp2p/interface'
import { ipPortToMultiaddr } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import { TypedEventEmitter } from 'main-event'
import { addressKey } from './address-key.ts'
import type { FramedSocket } from './framed-socket.ts'
import { WebSocketConnection } from './websocket-connection.ts'

export interface WebSocketListenerLimits {
  /** Sockets in all. */
  readonly maxSockets: number
  /** Sockets of one address; see address-key.ts. */
  readonly maxSocketsPerAddress: number
  /** Sockets that have not finished the libp2p handshake, in all. */
  readonly maxUpgrading: number
  readonly maxUpgradingPerAddress: number
  /** The libp2p handshake (multistream, noise, muxer) must be done within this time. */
  readonly handshakeMs: number
  /** How often a silent socket is pinged. */
  readonly pingIntervalMs: number
  /** A socket from which nothing came for this long, pongs included, is cut. */
  readonly silenceMs: number
}

/** How long a refused socket has to read why. */
const LAST_WORDS_MS = 200

export const DEFAULT_WEBSOCKET_LIMITS: WebSocketListenerLimits = {
  maxSockets: 12_000,
  // A whole school sits behind one address.
  maxSocketsPerAddress: 2_000,
  maxUpgrading: 512,
  maxUpgradingPerAddress: 64,
  handshakeMs: 10_000,
  // A dead link is noticed within 20 s: silence is looked at every half ping interval, and three pings have gone unanswered by then.
  pingIntervalMs: 7_000,
  silenceMs: 16_000,
}

export interface WebSocketListener {
  /** For libp2p's `transports`. */
  readonly transport: (components: { readonly logger: ComponentLogger }) => Transport
  /** May one more socket from this address come in now? Ask before the upgrade, where a refusal still has a status. */
  admits(address: string): boolean
  /** Takes over an open socket. Closes it with 1013 (try again later) when there is no room or the node is not listening. */
  accept(socket: FramedSocket, remote: RemoteSocket): void
  readonly size: number
}

/** Where the socket comes from; behind a trusted proxy, what the proxy says. */
export interface RemoteSocket {
  readonly address: string
  readonly port: number
}

interface Entry {
  readonly key: string
  heardAt: number
  upgrading: boolean
}

/** @param getAddrs what libp2p is told that this listener listens on, without /p2p; asked at each use, so that a port may be known late. */
export function createWebSocketListener(options: {
  readonly getAddrs: () => Multiaddr[]
  readonly limits?: WebSocketListenerLimits
  readonly now?: () => number
}): WebSocketListener {
  const { getAddrs, limits = DEFAULT_WEBSOCKET_LIMITS, now = Date.now } = options
  const sockets = new Map<FramedSocket, Entry>()
  const perAddress = new Map<string, { sockets: number; upgrading: number }>()
  let upgrading = 0
  /** Waits for the last socket to go. */
  let emptied: (() => void) | undefined
  let active: { upgrader: Upgrader; logger: ComponentLogger; stop: AbortController } | undefined

  const admits = (address: string): boolean => {
    const own = perAddress.get(addressKey(address))
    return (
      active !== undefined &&
      sockets.size < limits.maxSockets &&
      upgrading < limits.maxUpgrading &&
      (own === undefined || (own.sockets < limits.maxSocketsPerAddress && own.upgrading < limits.maxUpgradingPerAddress))
    )
  }

  const track = (socket: FramedSocket, key: string): Entry => {
    const entry: Entry = { key, heardAt: now(), upgrading: true }
    const own = perAddress.get(key) ?? { sockets: 0, upgrading: 0 }
    perAddress.set(key, own)
    own.sockets++
    own.upgrading++
    upgrading++
    sockets.set(socket, entry)
    return entry
  }

  const untrack = (socket: FramedSocket, entry: Entry): void => {
    upgraded(entry)
    sockets.delete(socket)
    const own = perAddress.get(entry.key)
    if (own !== undefined && --own.sockets === 0) perAddress.delete(entry.key)
  }

  const upgraded = (entry: Entry): void => {
    if (!entry.upgrading) return
    entry.upgrading = false
    upgrading--
    const own = perAddress.get(entry.key)
    if (own !== undefined) own.upgrading--
  }

  const sweep = (): void => {
    const at = now()
    for (const [socket, entry] of sockets) {
      // A paused socket is full of unread bytes, not silent: its pongs wait behind them.
      if (socket.takeHeard() || socket.isPaused) entry.heardAt = at
      else if (at - entry.heardAt >= limits.silenceMs) socket.terminate()
      else if (at - entry.heardAt >= limits.pingIntervalMs / 2) socket.ping()
    }
  }

  const accept = (socket: FramedSocket, remote: RemoteSocket): void => {
    if (active === undefined || !admits(remote.address)) {
      refuse(socket)
      return
    }
    const { upgrader, logger, stop } = active
    const entry = track(socket, addressKey(remote.address))
    const connection = new WebSocketConnection({
      socket,
      remoteAddr: ipPortToMultiaddr(remote.address, remote.port).encapsulate('/ws'),
      log: logger.forComponent('libp2p:websocket'),
      onClosed: () => {
        untrack(socket, entry)
        if (sockets.size === 0) emptied?.()
      },
    })
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(limits.handshakeMs)])
    upgrader.upgradeInbound(connection, { signal }).then(
      () => {
        upgraded(entry)
      },
      (error: unknown) => {
        connection.abort(error instanceof Error ? error : new Error('the libp2p handshake failed'))
      },
    )
  }

  /** Try again later; who does not go by itself is cut. */
  const refuse = (socket: FramedSocket): void => {
    const cut = setTimeout(() => {
      socket.terminate()
    }, LAST_WORDS_MS)
    socket.start({
      data: () => {},
      closed: () => {
        clearTimeout(cut)
      },
    })
    socket.close(1013)
  }

  const createListener = (upgrader: Upgrader, logger: ComponentLogger): Listener => {
    let timer: NodeJS.Timeout | undefined
    const events = new TypedEventEmitter<ListenerEvents>()
    return Object.assign(events, {
      async listen(): Promise<void> {
        if (active !== undefined) throw new Error('one WebSocket listener serves one node')
        active = { upgrader, logger, stop: new AbortController() }
        timer = setInterval(sweep, limits.pingIntervalMs / 2)
        timer.unref()
        events.safeDispatchEvent('listening')
      },
      getAddrs,
      updateAnnounceAddrs(): void {},
      async close(): Promise<void> {
        if (active === undefined) return
        clearInterval(timer)
        active.stop.abort()
        active = undefined
        for (const socket of sockets.keys()) {
          socket.close(1001)
          socket.resume()
        }
        // Whoever does not answer the close frame is cut; connections end before their listener, so this is the rest.
        const cut = setTimeout(() => {
          for (const socket of sockets.keys()) socket.terminate()
        }, 1_000)
        if (sockets.size > 0)
          await new Promise<void>((resolve) => {
            emptied = resolve
          })
        clearTimeout(cut)
        events.safeDispatchEvent('close')
      },
    })
  }

  return {
    transport: ({ logger }) => ({
      [transportSymbol]: true,
      [Symbol.toStringTag]: '@footbridge/websocket-listener',
      dial: () => Promise.reject(new Error('this transport only listens')),
      createListener: ({ upgrader }) => createListener(upgrader, logger),
      listenFilter: (addresses) => addresses.filter((address) => address.getComponents().at(-1)?.name === 'ws'),
      dialFilter: () => [],
    }),
    admits,
    accept,
    get size() {
      return sockets.size
    },
  }
}
