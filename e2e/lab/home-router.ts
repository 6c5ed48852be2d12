/**
 * A home's router that opens ports when it is asked, by UPnP: miniupnpd beside the rules that it has (rules.ts), as Debian ships it for nftables. It counts what is said to it. Not
 * here: who asks (homes.ts).
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Site } from './layout.ts'
import type { World } from './world.ts'

const CONTROL_PORT = 5000
/** Of the search for routers. */
const SSDP_PORT = 1900

export interface HomeRouter {
  /** `TCP 8081`, in no order. */
  openPorts(): readonly string[]
  /** Whether anything in the home has looked for a router, or spoken to this one. */
  wasAsked(): boolean
}

/** Until the world ends. */
export function openHomeRouter(world: World, site: Site): HomeRouter {
  const folder = join(world.folder, `upnp-${site.number}`)
  const [leases, config] = [join(folder, 'leases'), join(folder, 'miniupnpd.conf')]
  mkdirSync(folder, { recursive: true })
  writeFileSync(leases, '')
  writeFileSync(config, configuration(site, leases))
  const nft = (...args: readonly string[]): string =>
    execFileSync('ip', ['netns', 'exec', site.router, 'nft', ...args], { input: TABLES, encoding: 'utf8' })
  nft('-f', '-')
  nft('add rule ip lab forward ct status dnat accept')
  world.start(site.router, ['miniupnpd', '-d', '-f', config, '-P', join(folder, 'pid')])
  return {
    openPorts: () =>
      readFileSync(leases, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split(':').slice(0, 2).join(' ')),
    wasAsked: () => /packets [1-9]/.test(nft('list table ip asked')),
  }
}

/** Its chains, which it fills and does not make; and who has asked. */
const TABLES = `
table inet filter {
  chain forward { type filter hook forward priority 10; policy accept; jump miniupnpd; }
  chain before { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
  chain after { type nat hook postrouting priority 100; policy accept; jump postrouting_miniupnpd; }
  chain miniupnpd { }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
}
table ip asked {
  chain input {
    type filter hook input priority -10; policy accept;
    iifname lan udp dport ${SSDP_PORT} counter
    iifname lan tcp dport ${CONTROL_PORT} counter
  }
}
`

function configuration({ lan, number }: Site, leases: string): string {
  return `
ext_ifname=wan
listening_ip=lan
port=${CONTROL_PORT}
enable_upnp=yes
enable_natpmp=no
secure_mode=yes
uuid=00000000-0000-0000-0000-${String(number).padStart(12, '0')}
lease_file=${leases}
allow 1024-65535 ${lan}.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
`
}
