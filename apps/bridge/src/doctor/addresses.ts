/**
 * What kind of address something is, whether it is this machine's, and to what a name leads.
 */
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'

export type AddressKind = 'public' | 'private' | 'loopback' | 'link-local' | 'none'

const ranges: readonly (readonly [AddressKind, string, number])[] = [
  ['loopback', '127.0.0.0', 8],
  ['loopback', '::1', 128],
  ['link-local', '169.254.0.0', 16],
  ['link-local', 'fe80::', 10],
  ['none', '0.0.0.0', 8],
  ['none', '::', 128],
  ['private', '10.0.0.0', 8],
  ['private', '172.16.0.0', 12],
  ['private', '192.168.0.0', 16],
  // Behind a provider's own NAT.
  ['private', '100.64.0.0', 10],
  ['private', 'fc00::', 7],
]

const lists = ranges.map(([kind, address, prefix]) => {
  const list = new BlockList()
  list.addSubnet(address, prefix, isIP(address) === 6 ? 'ipv6' : 'ipv4')
  return { kind, list }
})

/** @param ip an IP address */
export function kindOf(ip: string): AddressKind {
  return lists.find(({ list }) => list.check(ip, isIP(ip) === 6 ? 'ipv6' : 'ipv4'))?.kind ?? 'public'
}

export function isOfThisMachine(ip: string): boolean {
  if (kindOf(ip) === 'loopback') return true
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === ip))
}

/** As this machine resolves it, IPv4 and IPv6. @throws Node's error when the name leads nowhere. */
export async function resolve(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [host]
  return (await lookup(host, { all: true })).map(({ address }) => address)
}
