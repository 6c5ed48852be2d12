/** The report that a person may copy for somebody who helps them: facts of the connection, paths and the log. Never a secret: no token, no key, no message. */
import type { BridgeNotices, ConnectionState, Footbridge, LogEntry, Peer } from '@footbridge/client/api'

export interface ReportFacts {
  readonly connection: ConnectionState
  readonly notices: BridgeNotices
  readonly peers: readonly Peer[]
  readonly log: readonly LogEntry[]
  readonly client: Pick<Footbridge, 'addresses' | 'identity'>
}

export function reportOf(facts: ReportFacts, userAgent: string, now: number): string {
  const { connection } = facts
  const lines = [
    `Footbridge report, ${new Date(now).toISOString()}`,
    `browser: ${userAgent}`,
    `peer: ${facts.client.identity()?.peer ?? 'none'}`,
    `state: ${connection.state}`,
  ]
  if (connection.state === 'online') {
    lines.push(`bridge: ${connection.session.bridge.peer} ${connection.session.bridge.version}`)
    lines.push(`first hop: ${connection.firstHop.kind} ${connection.firstHop.address} ${milliseconds(connection.firstHop.rttMs)}`)
    for (const { step, ms } of connection.done) lines.push(`step ${step}: ${milliseconds(ms)}`)
  }
  if (connection.state === 'away') lines.push(`reason: ${connection.code}, attempt ${connection.attempt}`)
  const { clockSkewMs, held, ending } = facts.notices
  if (clockSkewMs !== undefined) lines.push(`bridge's clock: ${clockSkewMs} ms ahead`)
  for (const { limit, scope, until } of held)
    lines.push(`held up: ${limit} of ${scope}${until === undefined ? '' : ` until ${new Date(until).toISOString()}`}`)
  for (const { peer, reason, at } of ending) lines.push(`circuit ended: ${peer} ${reason} ${new Date(at).toISOString()}`)
  lines.push('', 'addresses:', ...facts.client.addresses().map((address) => `  ${address}`))
  lines.push('', 'paths:', ...facts.peers.filter((peer) => peer.path.kind !== 'none').map((peer) => `  ${pathLine(peer)}`))
  lines.push('', 'log:', ...facts.log.map((entry) => `  ${new Date(entry.at).toISOString()} ${entry.level} ${entry.text}`))
  return lines.join('\n')
}

function pathLine({ id, path }: Peer): string {
  if (path.kind === 'none') return id
  const upgrade =
    path.kind === 'relayed' ? ` upgrade ${path.upgrade.state}${path.upgrade.state === 'failed' ? ` (${path.upgrade.reason})` : ''}` : ''
  return `${id} ${path.kind} ${path.over} ${milliseconds(path.rttMs)} ${path.address}${upgrade}`
}

function milliseconds(ms: number | undefined): string {
  return ms === undefined ? '? ms' : `${Math.round(ms)} ms`
}
