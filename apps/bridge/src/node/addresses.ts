/**
 * Under which multiaddrs the bridge is reached: what it tells browsers (first hops), native peers (relay addresses) and the network (announced).
 * A first hop is an origin turned into a multiaddr, because libp2p over WebSocket and over the HTTPS tunnel share the app's port, and WebTransport its host.
 */
import { isIP } from 'node:net'
import { TUNNEL_PATH } from '@footbridge/shared/wire/tunnel-api'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { isLoopback } from '../config/values.ts'
import { MAX_OWN_ADDRESSES } from '../limits.ts'

export interface Addresses {
  /** For a browser that reached the bridge at this origin, best first, each ending in the bridge's /p2p/. */
  firstHops(origin: string): string[]
  /** For native peers, each ending in the bridge's /p2p/. */
  relayAddresses(): string[]
  /** Told to whoever reserves: every address that somebody else could use. */
  reservationAddresses(): Multiaddr[]
  /** Circuit addresses of a peer for whoever reached the bridge at this origin. */
  circuitAddresses(peer: string, origin: string): string[]
}

export interface AddressesOptions {
  readonly bridgePeer: string
  readonly publicUrl: string | undefined
  readonly announceAddrs: readonly string[]
  /** Where the node listens, without /p2p. */
  readonly listening: () => readonly Multiaddr[]
  /** Where WebTransport listens, and what follows in its addresses, which changes with its certificates; undefined when it does not listen. */
  readonly webTransport: () => WebTransportPlace | undefined
}

interface WebTransportPlace {
  readonly host: string
  readonly port: number
  /** `/quic-v1/webtransport/certhash/…` */
  readonly suffix: string
}

export function createAddresses({ bridgePeer, publicUrl, announceAddrs, listening, webTransport }: AddressesOptions): Addresses {
  const own = (address: string): string => `${address}/p2p/${bridgePeer}`

  // What the operator says is right behind any proxy; what the request came by worked for this browser.
  const originsOf = (origin: string): string[] => [publicUrl, origin].flatMap((each) => each ?? [])
  const webSockets = (origin: string): string[] => [...new Set(originsOf(origin).flatMap((each) => originToMultiaddr(each) ?? []))].map(own)
  const tunnels = (origin: string): string[] => [...new Set(originsOf(origin).flatMap((each) => originToTunnel(each) ?? []))].map(own)

  const webTransports = (origin: string): string[] => {
    const place = webTransport()
    return place === undefined ? [] : [...new Set(originsOf(origin).flatMap((each) => originToWebTransport(each, place) ?? []))].map(own)
  }

  const nativeAddresses = (): string[] => {
    if (announceAddrs.length > 0) return [...announceAddrs]
    const all = inOrder(listening()).map(String)
    const reachable = all.filter((address) => !isOfThisLinkAlone(address))
    return (reachable.length > 0 ? reachable : all).slice(0, MAX_OWN_ADDRESSES)
  }

  const relayAddresses = (): string[] => nativeAddresses().map(own)

  return {
    // WebTransport is the better one, but clients that do not know it take the first that they know.
    firstHops: (origin) => [...webSockets(origin), ...webTransports(origin), ...tunnels(origin)],
    relayAddresses,
    reservationAddresses() {
      const browser = publicUrl === undefined ? [] : [...(originToMultiaddr(publicUrl) ?? []).map(own), ...webTransports(publicUrl)]
      return [...new Set([...relayAddresses(), ...browser])].slice(0, MAX_OWN_ADDRESSES).map((address) => multiaddr(address))
    },
    circuitAddresses: (peer, origin) =>
      [...new Set([...relayAddresses(), ...webSockets(origin)])].map((address) => `${address}/p2p-circuit/p2p/${peer}`),
  }
}

/** What every native peer can dial comes first; whoever takes one address alone takes that. Not the tunnel, which only our own client speaks, nor what is behind a relay. */
const NATIVE_KINDS = ['tcp', 'quic-v1', 'ws', 'webtransport', 'webrtc-direct']

function inOrder(addresses: readonly Multiaddr[]): readonly Multiaddr[] {
  const kindOf = (address: Multiaddr): number =>
    NATIVE_KINDS.indexOf(address.getComponents().findLast(({ name }) => name !== 'certhash')?.name ?? '')
  return addresses.filter((address) => kindOf(address) >= 0).sort((one, other) => kindOf(one) - kindOf(other))
}

/** `https://bridge.example` is `/dns/bridge.example/tcp/443/tls/ws`. An array of one, or undefined for what is no web origin. */
export function originToMultiaddr(origin: string): [string] | undefined {
  const base = originToBase(origin)
  return base === undefined ? undefined : [`${base}/ws`]
}

/** `https://bridge.example` is `/dns/bridge.example/tcp/443/tls/http/http-path/…`, which no other transport dials. */
function originToTunnel(origin: string): [string] | undefined {
  const base = originToBase(origin)
  return base === undefined ? undefined : [`${base}/http/http-path/${encodeURIComponent(TUNNEL_PATH.slice(1))}`]
}

/** The same host over UDP: `https://bridge.example` is `/dns/bridge.example/udp/…/quic-v1/webtransport/certhash/…`. */
function originToWebTransport(origin: string, { host, port, suffix }: WebTransportPlace): [string] | undefined {
  const reached = hostForUdp(origin, host)
  if (reached === undefined) return undefined
  return [`/${{ 0: 'dns', 4: 'ip4', 6: 'ip6' }[isIP(reached)] ?? 'dns'}/${reached}/udp/${port}${suffix}`]
}

/**
 * Where whoever reached the bridge at this origin reaches its UDP ports: a name, or an IP address without brackets. Undefined where they cannot.
 * @param listening the address that the UDP socket listens on.
 */
export function hostForUdp(origin: string, listening: string): string | undefined {
  const name = URL.canParse(origin) ? new URL(origin).hostname.replaceAll(/^\[|\]$/g, '') : ''
  if (name === '') return undefined
  // A browser asks for localhost in both families and takes what answers; UDP does not answer.
  const reached = name === 'localhost' ? (listening === '::1' ? '::1' : '127.0.0.1') : name
  // Who comes by a name to a bridge on loopback comes through a proxy, and that takes no UDP.
  return isLoopback(listening) && !isLoopback(reached) ? undefined : reached
}

function originToBase(origin: string): string | undefined {
  const url = URL.canParse(origin) ? new URL(origin) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) return undefined
  const secure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const kind = { 0: 'dns', 4: 'ip4', 6: 'ip6' }[isIP(host)] ?? 'dns'
  return `/${kind}/${host}/tcp/${url.port || (secure ? 443 : 80)}${secure ? '/tls' : ''}`
}

/** Loopback and link-local: no use to anybody on another network, and a bridge that told them would make others dial their own machine. */
function isOfThisLinkAlone(address: string): boolean {
  return /^\/ip4\/(127\.|169\.254\.)|^\/ip6\/(::1\/|fe[89ab])|^\/ip6zone\//i.test(address)
}
