/**
 * Where the bridge may dial. Strangers tell it addresses all day: identify, Kademlia, rendezvous, gossip, a request of AutoNAT. None of them may make it knock at its
 * own machine or at its operator's network, so what they tell is dialled only on public addresses. Addresses of the operator's settings may be anywhere, and what mDNS
 * tells may be on the local network, because that is where it was heard. `--dial-private` names further ranges.
 *
 * A bridge that itself listens only on private addresses is no exception: behind a proxy or a router strangers reach it all the same.
 * Pure but for `lookup`, which asks the system's resolver. Not here: how many are dialled (outbound-cap.ts), and who may dial the bridge (connection-cap.ts).
 */
import { lookup as lookUp, type LookupAddress } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { MAX_LAN_ADDRESSES } from '../limits.ts'

export interface DialPolicy {
  allows(address: Multiaddr): boolean
  /** The same for what a stranger told, whoever else told it too. */
  allowsTold(address: Multiaddr): boolean
  /** Whether an address, of anybody, means something to a peer elsewhere: what Kademlia passes on and keeps. */
  isOfUse(address: Multiaddr): boolean
  /** Somebody on the local network said by mDNS that they are there. */
  heardOnLan(addresses: readonly Multiaddr[]): void
  /** For sockets that are given a name: leaves what a stranger's name may lead to. Asked when it is dialled, so that no second answer can differ. */
  readonly lookup: LookupFunction
}

export interface DialPolicyOptions {
  readonly ownPeer: string
  /** Multiaddrs of the operator's settings. */
  readonly operatorAddrs: readonly string[]
  /** IP addresses and CIDR ranges that may be dialled whoever told them. */
  readonly privateRanges: readonly string[]
  /** For tests. */
  readonly resolve?: (name: string, done: (error: Error | null, found: LookupAddress[]) => void) => void
}

/** Loopback is not of the network that mDNS is heard on, and at 169.254.169.254 a cloud tells its machines their passwords. */
const LAN_RANGES = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7', 'fe80::/10']
/** IANA's registries of special-purpose addresses: what no stranger on the internet has. */
const SPECIAL_IPV4 =
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 ' +
  '198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4'
/** Of what is given out: addresses that carry an IPv4 address, which may be private, documentation and benchmarks. */
const SPECIAL_IPV6 = '2001::/23 2001:db8::/32 2002::/16 3fff::/20'
const GIVEN_OUT_IPV6 = ['2000::/3']

export function createDialPolicy(options: DialPolicyOptions): DialPolicy {
  const { ownPeer, operatorAddrs, privateRanges, resolve = (name, done) => lookUp(name, { all: true }, done) } = options
  const special = rangesOf(`${SPECIAL_IPV4} ${SPECIAL_IPV6}`.split(' '))
  const givenOutIpv6 = rangesOf(GIVEN_OUT_IPV6)
  const lan = rangesOf(LAN_RANGES)
  const extra = rangesOf(privateRanges)
  const operatorPlaces = new Set(operatorAddrs.flatMap((address) => placeOf(multiaddr(address))?.key ?? []))
  const operatorNames = new Set(operatorAddrs.flatMap((address) => placeOf(multiaddr(address))?.host ?? []))
  /** In the order in which they were heard last. */
  const lanPlaces = new Set<string>()

  const isPublic = (ip: string): boolean => {
    if (contains(special, ip)) return false
    // Mapped IPv4 has been looked at as IPv4.
    return isIP(ip) === 4 || ip.toLowerCase().startsWith('::ffff:') || contains(givenOutIpv6, ip)
  }
  const isOpen = (ip: string): boolean => isPublic(ip) || contains(extra, ip)

  const allowsTold = (address: Multiaddr): boolean => {
    const place = placeOf(address)
    if (place === undefined || isDetour(address, ownPeer)) return false
    return isIP(place.host) === 0 ? isLookedUpByUs(address) : isOpen(place.host)
  }

  return {
    allows(address) {
      const place = placeOf(address)
      if (place === undefined || isDetour(address, ownPeer)) return false
      return operatorPlaces.has(place.key) || lanPlaces.has(place.key) || allowsTold(address)
    },
    allowsTold,
    isOfUse(address) {
      const place = placeOf(address)
      return place !== undefined && (isIP(place.host) === 0 || isOpen(place.host))
    },
    heardOnLan(addresses) {
      for (const address of addresses) {
        const place = placeOf(address)
        if (place === undefined || !contains(lan, place.host)) continue
        lanPlaces.delete(place.key)
        lanPlaces.add(place.key)
      }
      for (const oldest of lanPlaces) {
        if (lanPlaces.size <= MAX_LAN_ADDRESSES) return
        lanPlaces.delete(oldest)
      }
    },
    lookup(name, lookupOptions, done) {
      resolve(name, (error, found) => {
        const [first, ...others] = operatorNames.has(name) ? found : (found ?? []).filter(({ address }) => isOpen(address))
        if (error !== null || first === undefined) {
          done(error ?? Object.assign(new Error(`${name} leads to no address that may be dialled`), { code: 'ENOTFOUND' }), '')
          return
        }
        if (lookupOptions.all === true) done(null, [first, ...others])
        else done(null, first.address, first.family)
      })
    },
  }
}

interface Place {
  /** An IP address or a name. */
  readonly host: string
  /** Host, protocol and port: whatever is spoken there is the same place. */
  readonly key: string
}

/** Undefined for what is no host and port: a socket's path, a peer alone. */
function placeOf(address: Multiaddr): Place | undefined {
  const [host, port] = address.getComponents().filter(({ name }) => name !== 'ip6zone')
  if (host?.value === undefined || port?.value === undefined) return undefined
  if (!['ip4', 'ip6', 'dns', 'dns4', 'dns6'].includes(host.name) || !['tcp', 'udp'].includes(port.name)) return undefined
  return { host: host.value, key: `${host.value}/${port.name}/${port.value}` }
}

/** A name over plain TCP is given to our own `lookup`, which knows what it may lead to; the other transports look names up by themselves. */
function isLookedUpByUs(address: Multiaddr): boolean {
  const kinds = address.getComponents().map(({ name }) => name)
  return kinds[1] === 'tcp' && kinds.slice(2).every((name) => name === 'p2p' || name === 'p2p-circuit')
}

/** Through ourselves, or through a relay's relay: no relay carries a circuit in a circuit. */
function isDetour(address: Multiaddr, ownPeer: string): boolean {
  const components = address.getComponents()
  const circuits = components.filter(({ name }) => name === 'p2p-circuit').length
  return circuits > 1 || components.some(({ name, value }) => name === 'p2p' && value === ownPeer)
}

function rangesOf(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', bits] = range.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return list
}

function contains(ranges: BlockList, ip: string): boolean {
  const version = isIP(ip)
  return version !== 0 && ranges.check(ip, version === 6 ? 'ipv6' : 'ipv4')
}
