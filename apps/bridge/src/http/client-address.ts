/**
 * Who is asking and how they reached us: the socket's own word, or, from a trusted proxy only, what the proxy says. Everybody can send these headers, so
 * each hop is believed only as far as the one that reported it is trusted.
 */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'
import type { TLSSocket } from 'node:tls'

export interface ClientAddress {
  /** The nearest hop that no trusted proxy vouches for as a proxy: the client. IPv4 in IPv6 is given as IPv4. */
  readonly ip: string
  /** Of the socket or, behind a proxy, 0. */
  readonly port: number
  /** `https://bridge.example`: the origin that the client has in its address bar, as far as we can know. */
  readonly origin: string
}

/** @param trustedProxies IP addresses and CIDR ranges. */
export function createClientAddress(trustedProxies: readonly string[]): (request: IncomingMessage) => ClientAddress {
  const trusted = new BlockList()
  for (const range of trustedProxies) {
    const [address = '', prefix] = range.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) trusted.addAddress(address, family)
    else trusted.addSubnet(address, Number(prefix), family)
  }
  const isTrusted = (ip: string): boolean => isIP(ip) !== 0 && trusted.check(ip, isIP(ip) === 6 ? 'ipv6' : 'ipv4')

  return (request) => {
    const { socket, headers } = request
    const peer = plainAddress(socket.remoteAddress ?? '')
    const scheme = (socket as TLSSocket).encrypted === true ? 'https' : 'http'
    const host = headers.host
    if (!isTrusted(peer)) return { ip: peer, port: socket.remotePort ?? 0, origin: originOf(scheme, host, socket) }
    const hops = forwardedHops(headers)
    const ip = [...hops.addresses].reverse().find((hop) => !isTrusted(hop)) ?? hops.addresses[0] ?? peer
    return { ip, port: 0, origin: originOf(hops.scheme ?? scheme, hops.host ?? host, socket) }
  }
}

interface ForwardedHops {
  /** Client first, nearest proxy last. Cut at the last entry that is no IP address: what stands before it cannot be followed. */
  readonly addresses: string[]
  readonly scheme: string | undefined
  readonly host: string | undefined
}

function forwardedHops(headers: IncomingMessage['headers']): ForwardedHops {
  const first = (name: string): string | undefined => text(headers[name])?.split(',')[0]?.trim()
  if (headers['x-forwarded-for'] !== undefined || headers.forwarded === undefined) {
    const list = text(headers['x-forwarded-for'])?.split(',') ?? []
    return { addresses: knownAddresses(list), scheme: schemeOf(first('x-forwarded-proto')), host: first('x-forwarded-host') }
  }
  // RFC 7239: for=192.0.2.1;proto=https;host=bridge.example, for="[2001:db8::1]:4711"
  const elements = headers.forwarded.split(',').map((element) => new Map(element.split(';').map(parsePair)))
  const [outermost] = elements
  return {
    addresses: knownAddresses(elements.map((element) => element.get('for') ?? '')),
    scheme: schemeOf(outermost?.get('proto')),
    host: outermost?.get('host'),
  }
}

function parsePair(pair: string): [string, string] {
  const [name = '', ...rest] = pair.split('=')
  return [name.trim().toLowerCase(), rest.join('=').trim().replace(/^"|"$/g, '')]
}

function knownAddresses(list: readonly string[]): string[] {
  const addresses = list.map((item) =>
    plainAddress(
      item
        .trim()
        .replace(/^\[([^\]]+)\](?::\d+)?$/, '$1')
        .replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1'),
    ),
  )
  return addresses.slice(addresses.findLastIndex((address) => isIP(address) === 0) + 1)
}

/** IPv4 in IPv6 as IPv4, without a zone. */
export function plainAddress(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address.split('%')[0] ?? ''
}

function schemeOf(value: string | undefined): string | undefined {
  return value === 'https' || value === 'http' ? value : undefined
}

/** The Host header is the client's word; one that is no host gives way to where the socket arrived. */
function originOf(scheme: string, host: string | undefined, socket: IncomingMessage['socket']): string {
  if (host !== undefined && /^(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/.test(host) && URL.canParse(`${scheme}://${host}`))
    return new URL(`${scheme}://${host}`).origin
  const local = plainAddress(socket.localAddress ?? '127.0.0.1')
  return `${scheme}://${isIP(local) === 6 ? `[${local}]` : local}:${socket.localPort ?? 0}`
}

function text(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header
}
