/**
 * What a router lets through and how it changes addresses, in the language of nftables. Pure.
 * The input chain drops what nobody asked for: a packet that the router took for itself would hold the port that the NAT needs, and a cone would turn
 * symmetric.
 */
import type { Site } from './layout.ts'

/** For `nft -f`. */
export function rulesFor(site: Site): string {
  const { nat, inbound } = site.network
  const forward = [
    'ct state established,related accept',
    // Machines of one network reach each other: some kernels ask the router about what its switch carries, too.
    'iifname lan oifname lan accept',
    ...outwards(site),
    ...(nat === 'full-cone' ? ['ct status dnat accept'] : []),
    ...(nat === 'none' && inbound === 'everything' ? ['iifname wan accept'] : []),
  ]
  const input = ['ct state established,related accept', 'iifname { lan, lo } accept', 'icmp type echo-request accept']
  const before = nat === 'full-cone' ? [`iifname wan udp dport 1024-65535 dnat to ${site.hosts[0]?.address ?? ''}`] : []
  const after = {
    none: [],
    'full-cone': ['oifname wan masquerade'],
    // The kernel's NAT keeps the port where it can, and lets in answers alone.
    'port-restricted-cone': ['oifname wan masquerade'],
    symmetric: ['oifname wan masquerade fully-random'],
  }[nat]
  return [
    'flush ruleset',
    'table ip lab {',
    chain('input', 'type filter hook input priority 0; policy drop;', input),
    chain('forward', 'type filter hook forward priority 0; policy drop;', forward),
    chain('before', 'type nat hook prerouting priority -100;', before),
    chain('after', 'type nat hook postrouting priority 100;', after),
    '}',
  ].join('\n')
}

function outwards({ network, proxy }: Site): readonly string[] {
  switch (network.outbound) {
    case 'everything':
      return ['iifname lan accept']
    case 'no-udp':
      return ['iifname lan meta l4proto udp drop', 'iifname lan accept']
    case 'tcp-443':
      return ['iifname lan tcp dport 443 accept']
    case 'proxy-only':
      return [`iifname lan ip saddr ${proxy?.address ?? ''} meta l4proto tcp accept`]
  }
}

/** The internet's own: whose line is in the set is cut off, without a word to either side. */
export const CORE_RULES = [
  'table ip lab {',
  '  set cut { type ifname; }',
  chain('forward', 'type filter hook forward priority 0; policy accept;', ['iifname @cut drop', 'oifname @cut drop']),
  '}',
].join('\n')

function chain(name: string, hook: string, rules: readonly string[]): string {
  return [`  chain ${name} {`, `    ${hook}`, ...rules.map((rule) => `    ${rule}`), '  }'].join('\n')
}
