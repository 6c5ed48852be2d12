/**
 * What is said of a virtual peer on the LAN: libp2p's mDNS discovery, a response of one peer per packet, because readers take one from each.
 *
 *     answer      PTR   <service>                →  <instance>.<service>
 *     additional  TXT   <instance>.<service>     →  dnsaddr=<circuit address>/p2p/<peer>, one string for each address
 *                 SRV   <instance>.<service>     →  <instance>.local and a port      go-libp2p's reader wants these two, and uses neither
 *                 A     <instance>.local         →  the bridge's address
 *
 * A goodbye is the PTR alone with a lifetime of 0: js-libp2p, which knows no lifetimes, would take a TXT in it for a peer that has come.
 */
import type { ResponseOutgoingPacket } from 'multicast-dns'
import { MDNS_TTL_SECONDS } from '../limits.ts'
import type { Carried } from './announcement.ts'

/** Of one string in a TXT record (RFC 6763, 6.1). */
const MAX_TEXT_BYTES = 255
/** Of all of them: with the other records within the packet of an Ethernet. */
const MAX_TEXTS_BYTES = 1_000
const PREFIX = 'dnsaddr='

export interface MdnsPeer {
  /** A name of no meaning, as the specification wants it. */
  readonly instance: string
  readonly texts: readonly string[]
  /** Of the bridge, as in the first address. */
  readonly host: string | undefined
  readonly port: number
}

/** @returns undefined when no address is short enough. */
export function describePeer({ peer, addresses }: Pick<Carried, 'peer' | 'addresses'>, instance: string): MdnsPeer | undefined {
  const texts: string[] = []
  let bytes = 0
  for (const address of addresses) {
    const text = `${PREFIX}${address.toString()}/p2p/${peer}`
    if (text.length > MAX_TEXT_BYTES || bytes + text.length > MAX_TEXTS_BYTES) continue
    texts.push(text)
    bytes += text.length + 1
  }
  if (texts.length === 0) return undefined
  const components = addresses.flatMap((address) => address.getComponents())
  const host = components.find(({ name }) => name === 'ip4')?.value
  const port = components.find(({ name }) => name === 'tcp' || name === 'udp')?.value
  return { instance, texts, host, port: Number(port ?? 0) }
}

export function presentPacket({ instance, texts, host, port }: MdnsPeer, service: string): ResponseOutgoingPacket {
  const [name, target] = [`${instance}.${service}`, `${instance}.local`]
  const ttl = MDNS_TTL_SECONDS
  return {
    answers: [{ name: service, type: 'PTR', class: 'IN', ttl, data: name }],
    additionals: [
      { name, type: 'TXT', class: 'IN', ttl, data: [...texts] },
      { name, type: 'SRV', class: 'IN', ttl, data: { target, port } },
      ...(host === undefined ? [] : [{ name: target, type: 'A', class: 'IN', ttl, data: host } as const]),
    ],
  }
}

export function goodbyePacket({ instance }: MdnsPeer, service: string): ResponseOutgoingPacket {
  return { answers: [{ name: service, type: 'PTR', class: 'IN', ttl: 0, data: `${instance}.${service}` }] }
}
