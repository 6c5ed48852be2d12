/**
 * `footbridge network`: how the running bridge stands in the network, in plain words.
 */
import type { Config } from '../config/config.ts'
import type { NetworkStatus } from '../discovery/network-status.ts'
import { CommandError, type Console } from './console.ts'
import { findRunningBridge } from './operator.ts'
import { formatTable, printable } from './table.ts'

export async function networkCommand(config: Config, console: Console, json: boolean): Promise<void> {
  const running = await findRunningBridge(config, console)
  if (running === undefined)
    throw new CommandError(`no bridge is running on ${config.dataDir}: start it with npm start, or name its folder with --data-dir`)
  const status = await running.client.network<NetworkStatus>()
  console.print(json ? `${JSON.stringify(status, undefined, 2)}\n` : formatNetwork(status))
}

const REACHABILITY = {
  unknown: 'not known yet',
  reachable: 'others reach it directly',
  unreachable: 'nobody has confirmed that others reach it directly: it looks for relays',
}
const RELAY = {
  discovered: 'known, not asked',
  requested: 'asked',
  accepted: 'reserved',
  expired: 'refused or gone',
}
const RENDEZVOUS = {
  discovered: 'known, not asked',
  pending: 'waits for an address of ours that others can use',
  requested: 'asked',
  registered: 'registered',
  expired: 'refused or over',
}

export function formatNetwork(status: NetworkStatus): string {
  const { localPeer, listenAddresses, externalAddresses, relays, rendezvous, directUpgrades, autonat, knownPeers } = status
  const known = Object.entries(knownPeers.bySource).map(([source, count]) => `${count} by ${source}`)
  const facts = [
    ['reachable', REACHABILITY[autonat.reachability]],
    ['last test', autonat.lastTest ?? 'none'],
    ['direct upgrades', String(directUpgrades)],
    ['peers known', `${knownPeers.total}${known.length === 0 ? '' : `: ${known.join(', ')}`}`],
  ]
  const named = (configured: boolean): string => (configured ? 'the settings' : 'the network')
  const sections = [
    formatTable(['PeerID', localPeer], facts),
    formatList('Listens on', listenAddresses),
    formatList('Others are told', externalAddresses),
    relays.length === 0
      ? 'Relays: none known.\n'
      : formatTable(
          ['RELAY', 'STATE', 'FROM'],
          relays.map(({ peer, state, configured }) => [printable(peer), RELAY[state], named(configured)]),
        ),
    rendezvous.length === 0
      ? 'Rendezvous points: none known.\n'
      : formatTable(
          ['RENDEZVOUS POINT', 'STATE', 'UNTIL', 'FROM'],
          rendezvous.map(({ peer, state, registeredUntil, configured }) => [
            printable(peer),
            RENDEZVOUS[state],
            registeredUntil ?? '-',
            named(configured),
          ]),
        ),
  ]
  return sections.join('\n')
}

function formatList(title: string, addresses: readonly string[]): string {
  return addresses.length === 0 ? `${title}: nothing.\n` : `${title}:\n${addresses.map((address) => `  ${printable(address)}\n`).join('')}`
}
