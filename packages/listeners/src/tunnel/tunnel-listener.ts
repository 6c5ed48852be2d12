/**
 * A libp2p transport for Node whose connections come as plain HTTP requests, for networks whose proxies break WebSockets. Somebody else's HTTP server
 * authenticates each request and hands its body to the tunnel; from there on it is an ordinary libp2p connection, with Noise proving the PeerID that was
 * authenticated. Not here: HTTP, access tokens, CORS (apps/bridge/src/http/tunnels.ts); dialling (packages/protocols/src/tunnel).
 */
import { transportSymbol, type ComponentLogger, type Listener, type ListenerEvents, type Transport, type Upgrader } from '@libp2p/interface'
import { ipPortToMultiaddr } from '@libp2p/utils'
import { base64urlEncode } from '@footbridge/shared/text-codec'
import { TypedEventEmitter } from 'main-event'
import { addressKey } from '../websocket/address-key.ts'
import { WebSocketCloseError } from '../websocket/close-error.ts'
import { createHeldBytes } from './held-bytes.ts'
import { Tunnel, type TunnelRequests, type TunnelTimes } from './tunnel.ts'

export interface TunnelListenerLimits extends TunnelTimes {
  /** Tunnels in all. Each may hold two windows of 512 KiB, and what came early. */
  readonly maxTunnels: number
  /** Bytes that all of them hold; above, the one that holds most is ended. */
  readonly maxHeldBytes: number
  /** Tunnels of one address; see address-key.ts. */
  readonly maxTunnelsPerAddress: number
  /** Tunnels of one PeerID; one more ends the one that was silent longest, so that nobody locks themselves out. */
  readonly maxTunnelsPerPeer: number
  /** The libp2p handshake must be done within this time, lost requests included. */
  readonly handshakeMs: number
  /** A tunnel from which no request came for this long is cut. */
  readonly silenceMs: number
  /** An ended tunnel answers with its end for this long. */
  readonly lingerMs: number
}

export const DEFAULT_TUNNEL_LIMITS: TunnelListenerLimits = {
  maxTunnels: 1_000,
  // 250 tunnels with a whole window each way waiting; a tunnel at work holds a tenth of that. A small server has 1 GB.
  maxHeldBytes: 128 * 1024 * 1024,
  // A whole school sits behind one address, and behind one proxy.
  maxTunnelsPerAddress: 500,
  maxTunnelsPerPeer: 4,
  handshakeMs: 15_000,
  silenceMs: 20_000,
  lingerMs: 5_000,
  heartbeatMs: 3_000,
  // Common proxies allow an answer 60 s.
  streamMs: 50_000,
  pollMs: 10_000,
}

/** Who opens a tunnel: a PeerID that was authenticated, and where it comes from; behind a trusted proxy, what the proxy says. */
export interface TunnelRemote {
  readonly peer: string
  readonly address: string
  readonly port: number
}

export interface TunnelListener {
  /** For libp2p's `transports`; listens on `/ip4/…/tcp/…/http`. */
  readonly transport: (components: { readonly logger: ComponentLogger }) => Transport
  /** @returns the new tunnel's id; undefined when there is no room or the node is not listening. */
  open(remote: TunnelRemote): string | undefined
  /** The tunnel, if it is this peer's. */
  find(id: string, peer: string): TunnelRequests | undefined
  /** Cuts all tunnels of a peer, those before their handshake included. */
  end(peer: string, error: Error): void
  readonly size: number
}

/** How often silent tunnels are looked for, at least. */
const SWEEP_MS = 2_000
const ID_BYTES = 16

export function createTunnelListener(options: {
  readonly randomBytes: (length: number) => Uint8Array
  readonly limits?: TunnelListenerLimits
  readonly now?: () => number
}): TunnelListener {
  const { randomBytes, limits = DEFAULT_TUNNEL_LIMITS, now = Date.now } = options
  const tunnels = new Map<string, Tunnel>()
  /** Those of them that only answer with their end, oldest first; they hold nothing. */
  const ended = new Set<string>()
  const perAddress = new Map<string, number>()
  let active: { upgrader: Upgrader; logger: ComponentLogger; stop: AbortController } | undefined

  const onHeld = createHeldBytes(limits.maxHeldBytes)

  const makeRoom = (peer: string): void => {
    const own = [...tunnels.values()].filter((tunnel) => tunnel.peer === peer && !tunnel.connection.pipe.isOver)
    if (own.length < limits.maxTunnelsPerPeer) return
    const silent = own.reduce((one, other) => (other.heardAt < one.heardAt ? other : one))
    silent.connection.abort(new Error('the peer opened other tunnels'))
  }

  const forget = (id: string): void => {
    ended.delete(id)
    tunnels.delete(id)
  }

  /** Counts it until it has closed; it answers for a while longer. */
  const track = (tunnel: Tunnel, key: string): void => {
    tunnels.set(tunnel.id, tunnel)
    perAddress.set(key, (perAddress.get(key) ?? 0) + 1)
    tunnel.connection.addEventListener(
      'close',
      () => {
        const left = (perAddress.get(key) ?? 1) - 1
        if (left === 0) perAddress.delete(key)
        else perAddress.set(key, left)
        ended.add(tunnel.id)
        const [oldest] = ended
        if (ended.size > limits.maxTunnels && oldest !== undefined) forget(oldest)
        setTimeout(() => forget(tunnel.id), limits.lingerMs).unref()
      },
      { once: true },
    )
  }

  const sweep = (): void => {
    for (const { heardAt, connection } of tunnels.values())
      if (now() - heardAt >= limits.silenceMs) connection.abort(new Error('no request came for too long'))
  }

  const open = ({ peer, address, port }: TunnelRemote): string | undefined => {
    const key = addressKey(address)
    if (active === undefined) return undefined
    makeRoom(peer)
    if (tunnels.size - ended.size >= limits.maxTunnels || (perAddress.get(key) ?? 0) >= limits.maxTunnelsPerAddress) return undefined
    const { upgrader, logger, stop } = active
    const id = base64urlEncode(randomBytes(ID_BYTES))
    const remoteAddr = ipPortToMultiaddr(address, port).encapsulate(`/http/p2p/${peer}`)
    const log = logger.forComponent('libp2p:tunnel')
    const tunnel = new Tunnel({ id, peer, remoteAddr, log, times: limits, now, onHeld })
    track(tunnel, key)
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(limits.handshakeMs)])
    upgrader.upgradeInbound(tunnel.connection, { signal }).catch((error: unknown) => {
      tunnel.connection.abort(error instanceof Error ? error : new Error('the libp2p handshake failed'))
    })
    return id
  }

  const createListener = (upgrader: Upgrader, logger: ComponentLogger): Listener => {
    let timer: NodeJS.Timeout | undefined
    const events = new TypedEventEmitter<ListenerEvents>()
    return Object.assign(events, {
      async listen(): Promise<void> {
        if (active !== undefined) throw new Error('one tunnel listener serves one node')
        active = { upgrader, logger, stop: new AbortController() }
        timer = setInterval(sweep, Math.min(SWEEP_MS, limits.silenceMs / 4)).unref()
        events.safeDispatchEvent('listening')
      },
      // Nobody without a session can use it: those are told its address at their login.
      getAddrs: () => [],
      updateAnnounceAddrs(): void {},
      async close(): Promise<void> {
        if (active === undefined) return
        clearInterval(timer)
        active.stop.abort()
        active = undefined
        for (const { connection } of tunnels.values()) connection.abort(new WebSocketCloseError(1001, 'the bridge is stopping'))
        events.safeDispatchEvent('close')
      },
    })
  }

  return {
    transport: ({ logger }) => ({
      [transportSymbol]: true,
      [Symbol.toStringTag]: '@footbridge/tunnel-listener',
      dial: () => Promise.reject(new Error('this transport only listens')),
      createListener: ({ upgrader }) => createListener(upgrader, logger),
      listenFilter: (addresses) => addresses.filter((address) => address.getComponents().at(-1)?.name === 'http'),
      dialFilter: () => [],
    }),
    open,
    find(id, peer) {
      const tunnel = tunnels.get(id)
      return tunnel?.peer === peer ? tunnel : undefined
    },
    end(peer, error) {
      for (const tunnel of tunnels.values()) if (tunnel.peer === peer) tunnel.connection.abort(error)
    },
    get size() {
      return tunnels.size
    },
  }
}
