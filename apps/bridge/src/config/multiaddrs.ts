/**
 * Settings that are multiaddrs: where to listen, what to announce, whom to know. A bad one is named with the reason.
 */
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { MAX_NETWORK_ADDRESSES } from '../limits.ts'
import { parseList } from './values.ts'

export function parseMultiaddr(text: string): string {
  try {
    const address = multiaddr(text)
    if (address.getComponents().length === 0 || text.includes('/p2p/')) throw new Error('not a listening address')
    return address.toString()
  } catch {
    throw new Error(`must list multiaddrs without /p2p, such as /dns4/bridge.example/tcp/8081; ${JSON.stringify(text)} is none`)
  }
}

export function parseAddressList(text: string, parse: (address: Multiaddr) => string | undefined): string[] {
  const addresses = parseList(text, (item) => {
    const address = readMultiaddr(item)
    const reason = address === undefined ? 'no multiaddr' : parse(address)
    if (address === undefined || reason !== undefined) throw new Error(`lists ${JSON.stringify(item)}, which is ${reason}`)
    return address.toString()
  })
  if (addresses.length > MAX_NETWORK_ADDRESSES)
    throw new Error(`lists ${addresses.length} addresses; ${MAX_NETWORK_ADDRESSES} are the most`)
  return [...new Set(addresses)]
}

function readMultiaddr(text: string): Multiaddr | undefined {
  try {
    const address = multiaddr(text)
    return address.getComponents().length === 0 ? undefined : address
  } catch {
    return undefined
  }
}

/** @returns why the bridge cannot listen there. */
export function parseListenAddress(address: Multiaddr): string | undefined {
  const [ip, ...rest] = address.getComponents().map(({ name }) => name)
  const kind = rest.join('/')
  if (rest.includes('p2p')) return 'an address of a peer: give it without /p2p/'
  if (rest.includes('ws') || rest.includes('wss')) return 'one of WebSocket, which is on --port'
  if (rest.includes('webtransport')) return 'one of WebTransport, which is on --wt-port'
  if (ip !== 'ip4' && ip !== 'ip6') return 'not an IP address of this machine, such as /ip4/0.0.0.0/tcp/4001'
  if (!['tcp', 'udp/quic-v1', 'udp/webrtc-direct'].includes(kind))
    return 'neither TCP nor QUIC (/udp/4001/quic-v1) nor /udp/4002/webrtc-direct'
  return undefined
}

/** @returns why it does not lead to one certain peer. */
export function parsePeerAddress(address: Multiaddr): string | undefined {
  const last = address.getComponents().at(-1)
  if (last?.name !== 'p2p' || last.value === undefined)
    return 'without a peer: it must end in /p2p/<id>, so that nobody else can answer there'
  try {
    peerIdFromString(last.value)
  } catch {
    return 'of a peer whose id cannot be read: it must end in /p2p/<id>'
  }
  return address.getComponents().length === 1 ? 'a peer without an address, such as /dns4/boot.example/tcp/4001/p2p/<id>' : undefined
}

export function parseRelayAddress(address: Multiaddr): string | undefined {
  if (address.getComponents().some(({ name }) => name === 'p2p-circuit'))
    return 'itself behind a relay, and nobody relays a relayed connection'
  return parsePeerAddress(address)
}
