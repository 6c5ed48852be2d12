/**
 * `footbridge status`: the running bridge at a glance.
 */
import type { StatusSummary } from '../admin/status-summary.ts'
import type { Config } from '../config/config.ts'
import type { TrafficCounters } from '../relay/counters.ts'
import { CommandError, type Console } from './console.ts'
import { findRunningBridge } from './operator.ts'
import { formatTable } from './table.ts'
import { formatAge, formatBytes } from './units.ts'

export async function statusCommand(config: Config, console: Console, json: boolean): Promise<void> {
  const running = await findRunningBridge(config, console)
  if (running === undefined)
    throw new CommandError(`no bridge is running on ${config.dataDir}: start it with npm start, or name its folder with --data-dir`)
  const status = await running.client.status()
  console.print(json ? `${JSON.stringify(status, undefined, 2)}\n` : formatStatus(status))
}

function formatStatus({ url, peer, version, sessions, relay, tokens }: StatusSummary): string {
  const { admitted, connected, reachable } = sessions
  const facts = [
    ['version', version],
    ['PeerID', peer],
    ['sessions', `${reachable} reachable, ${connected} connected only, ${admitted} away`],
    ['reservations', `${relay.reservations} now, ${relay.reservationsMade} made, refused: ${formatCounts(relay.reservationsRefused)}`],
    ['circuits', `${relay.circuits} now, ${relay.circuitsOpened} opened, refused: ${formatCounts(relay.circuitsRefused)}`],
    ['circuits cut', formatCounts(relay.circuitsCut)],
    ['relayed', `${formatBytes(relay.bytesSent)} to those called, ${formatBytes(relay.bytesReceived)} back`],
    ['held up by rates', formatAge(relay.throttledMs)],
  ]
  const rows = Object.entries(tokens).map(([id, counters]) => [id, ...toRow(counters)])
  const head = ['TOKEN', 'RESERVATIONS', 'CIRCUITS', 'OPENED', 'REFUSED', 'CUT', 'SENT', 'RECEIVED', 'HELD UP']
  return `${formatTable(['bridge', url], facts)}${rows.length === 0 ? '' : `\nSince the start, by token:\n${formatTable(head, rows)}`}`
}

function toRow(counters: TrafficCounters): string[] {
  const { reservations, circuits, circuitsOpened, reservationsRefused, circuitsRefused, circuitsCut, bytesSent, bytesReceived } = counters
  const refused = sum(reservationsRefused) + sum(circuitsRefused)
  const numbers = [reservations, circuits, circuitsOpened, refused, sum(circuitsCut)]
  return [...numbers.map(String), formatBytes(bytesSent), formatBytes(bytesReceived), formatAge(counters.throttledMs)]
}

type Counts = Readonly<Record<string, number>>

const sum = (counts: Counts): number => Object.values(counts).reduce((total, count) => total + count, 0)

function formatCounts(counts: Counts): string {
  const entries = Object.entries(counts)
  return entries.length === 0 ? 'none' : entries.map(([name, count]) => `${count} ${name.toLowerCase()}`).join(', ')
}
