/**
 * The networks of the lab, described: what stands between a person and the internet. A new one is a new entry in one of the two lists.
 * Not here: what a description becomes (layout.ts, commands.ts), how it is checked (probe.ts), and what it lets through (expected.ts).
 */

/** What the router does to addresses. */
export type Nat =
  /** Nothing: people have public addresses. */
  | 'none'
  /** One public port for a socket whoever it talks to, and anybody may send to it. */
  | 'full-cone'
  /** One public port for a socket, and only who was sent something may answer: most homes. */
  | 'port-restricted-cone'
  /** Another public port for every destination: many offices and mobile networks. */
  | 'symmetric'

/** What the router lets out. */
export type Outbound =
  | 'everything'
  | 'no-udp'
  /** TCP to port 443, and nothing else. */
  | 'tcp-443'
  /** Nothing of the people's own: only the proxy may go out. */
  | 'proxy-only'

/** A server of the network's own that carries web requests. */
export type Proxy =
  /** squid, as a school runs it: browsers are set to it, it opens TLS with a certificate authority of its own, and it knows no upgrades. */
  | 'intercepting'
  /** tinyproxy: browsers are set to it, and it passes what CONNECT asks for on port 443. */
  | 'connect'
  /** nginx, in whose place the bridge's name stands here: it forwards requests, holds answers back, and drops the headers of upgrades. */
  | 'reverse'

export interface Network {
  /** Of the table's rows and of `--only`. */
  readonly name: string
  readonly nat: Nat
  /** Of what comes in unasked. NAT lets nothing in but what its kind does, so this counts without NAT only. */
  readonly inbound: 'everything' | 'answers'
  readonly outbound: Outbound
  readonly proxy?: Proxy
  /** How many people's machines stand in it. */
  readonly hosts: number
  /** One way, between its router and the internet. */
  readonly delayMs: number
  /** Of the packets, each way. */
  readonly lossPercent: number
}

/** 40 ms there and back to a server in the middle: another town, or a mobile network on a good day. */
const line = { hosts: 1, delayMs: 20, lossPercent: 0 } as const
const closed = { ...line, nat: 'port-restricted-cone', inbound: 'answers' } as const

/** What the table shows, in its order. */
const TABLE = [
  { ...line, name: 'open', nat: 'none', inbound: 'everything', outbound: 'everything' },
  { ...closed, name: 'cone', outbound: 'everything' },
  { ...closed, name: 'symmetric', nat: 'symmetric', outbound: 'everything' },
  { ...closed, name: 'no-udp', outbound: 'no-udp' },
  { ...closed, name: 'tcp-443', outbound: 'tcp-443' },
  { ...closed, name: 'squid', outbound: 'proxy-only', proxy: 'intercepting' },
  { ...closed, name: 'nginx', outbound: 'proxy-only', proxy: 'reverse' },
] satisfies readonly Network[]

/** By `--only` alone. */
const OTHERS = [
  { ...line, name: 'firewall', nat: 'none', inbound: 'answers', outbound: 'everything' },
  { ...closed, name: 'full-cone', nat: 'full-cone', outbound: 'everything' },
  { ...closed, name: 'tinyproxy', outbound: 'proxy-only', proxy: 'connect' },
] satisfies readonly Network[]

/** @param names those of `--only`; undefined for the table. @throws RangeError naming what is unknown, and what is known. */
export function chooseNetworks(names?: readonly string[]): readonly Network[] {
  if (names === undefined) return TABLE
  const known: readonly Network[] = [...TABLE, ...OTHERS]
  return names.map((name) => {
    const found = known.find((network) => network.name === name)
    if (found === undefined) throw new RangeError(`no network "${name}": there are ${known.map((network) => network.name).join(', ')}`)
    return found
  })
}
