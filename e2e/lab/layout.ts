/**
 * Where everything stands: names of namespaces, and addresses. Pure. One core, to which every network, the bridge and two landmarks are joined, each by a
 * line of its own; no route leads out of it.
 * The public addresses are of 11.0.0.0/8, which the product takes for the internet's, as it would not those that are kept for examples.
 * Next: commands.ts, which builds it.
 */
import type { Network } from './networks.ts'

export const BRIDGE_NAME = 'bridge.lab'
/** Where people's browsers send their requests, in networks with a proxy that they are set to. */
export const PROXY_PORT = 3128

/** A network in which one side of the conversations sits: there are two of each kind, because two homes are not one. */
export interface Site {
  readonly network: Network
  /** Of the person: `alice cone`. */
  readonly person: string
  /** 1 to 250: the number in its addresses and of its line. */
  readonly number: number
  readonly router: string
  readonly routerAddress: string
  readonly coreAddress: string
  /** The name of the line in the core: who cuts it, cuts the network off. */
  readonly line: string
  /** Without the last number: `192.168.1`. */
  readonly lan: string
  readonly hosts: readonly Host[]
  readonly proxy: Host | undefined
}

export interface Host {
  readonly namespace: string
  readonly address: string
}

export interface Layout {
  /** With which all namespaces begin. */
  readonly prefix: string
  readonly core: string
  /** Where the lines' packets wait: their two ends, and the process that holds them. */
  readonly lineEnds: string
  readonly lineHolder: string
  readonly bridge: Host
  /** Two addresses, so that a NAT can be told by how it treats two destinations. */
  readonly landmark: Host & { readonly otherAddress: string }
  readonly sites: readonly Site[]
}

const PEOPLE = ['alice', 'bob'] as const

/** @param run what tells this run's namespaces from another's: the process id. */
export function layOut(networks: readonly Network[], run: number): Layout {
  const prefix = `fblab${run}-`
  const sites = PEOPLE.flatMap((person, side) =>
    networks.map((network, index): Site => {
      const number = 1 + side * networks.length + index
      if (number > 250) throw new RangeError('the lab has addresses for 250 networks')
      const name = `${prefix}${network.name}-${person}`
      // Every home has the same addresses inside, as in life.
      const lan = network.nat === 'none' ? `11.1.${number}` : '192.168.1'
      const host = (place: number, label: string): Host => ({ namespace: `${name}-${label}`, address: `${lan}.${place}` })
      return {
        network,
        person: `${person} ${network.name}`,
        number,
        router: `${name}-router`,
        routerAddress: `11.0.${number}.2`,
        coreAddress: `11.0.${number}.1`,
        line: `line${number}`,
        lan,
        hosts: Array.from({ length: network.hosts }, (_, place) => host(10 + place, `host${place + 1}`)),
        proxy: network.proxy === undefined ? undefined : host(3, 'proxy'),
      }
    }),
  )
  return {
    prefix,
    core: `${prefix}core`,
    lineEnds: `${prefix}line-ends`,
    lineHolder: `${prefix}line-holder`,
    bridge: { namespace: `${prefix}bridge`, address: '11.0.0.10' },
    landmark: { namespace: `${prefix}landmark`, address: '11.0.255.10', otherAddress: '11.0.255.11' },
    sites,
  }
}

/** Every namespace, in the order in which they are made. */
export function namespacesOf(layout: Layout): readonly string[] {
  const { core, lineEnds, lineHolder, bridge, landmark, sites } = layout
  const ofSites = sites.flatMap((site) => [site.router, ...hostsOf(site).map((host) => host.namespace)])
  return [core, lineEnds, lineHolder, bridge.namespace, landmark.namespace, ...ofSites]
}

export function hostsOf(site: Site): readonly Host[] {
  return site.proxy === undefined ? site.hosts : [...site.hosts, site.proxy]
}

/** Where the bridge's name leads for a machine of this network: the way out, but for who sits behind a reverse proxy. */
export function bridgeSeenFrom(layout: Layout, site: Site, host: Host): string {
  return site.network.proxy === 'reverse' && site.proxy !== undefined && host !== site.proxy ? site.proxy.address : layout.bridge.address
}
