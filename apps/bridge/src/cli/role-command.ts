/**
 * `footbridge relay` and `footbridge rendezvous`: takes the data folder, runs one role alone, says where it is, and waits to be asked to stop.
 * Not here: what the roles are made of (../roles/), and signals (../main.ts).
 */
import { multiaddr } from '@multiformats/multiaddr'
import type { DestinationStream } from 'pino'
import { lockDataDir, prepareDataDir } from '../admin/data-dir.ts'
import { isLoopback } from '../config/values.ts'
import { STOP_DEADLINE_MS } from '../limits.ts'
import type { Role, RoleParts, RunningRole } from '../roles/role.ts'
import { createRelayRole } from '../roles/relay-role.ts'
import { createRendezvousRole } from '../roles/rendezvous-role.ts'
import type { RelayConfig, RoleConfig } from '../roles/role-config.ts'
import { createLog } from '../telemetry/log.ts'
import { collectProcessMetrics } from '../telemetry/process-metrics.ts'
import { CommandError, type Console } from './console.ts'
import { checkPort, checkUdpPort } from './ports.ts'
import { stopAll, withDeadline } from './stopping.ts'

const LOCK_WAIT_MS = 1_000

export async function relayCommand(config: RelayConfig, console: Console, logDestination: DestinationStream): Promise<void> {
  const { allow } = config
  const whom = allow === undefined ? 'for anybody, with small limits' : `for ${allow.size} ${allow.size === 1 ? 'peer' : 'peers'}`
  await runRole(`relay ${whom}`, config, (prepared, parts) => createRelayRole({ ...config, ...prepared }, parts), console, logDestination)
}

export async function rendezvousCommand(config: RoleConfig, console: Console, logDestination: DestinationStream): Promise<void> {
  await runRole('rendezvous point for anybody', config, createRendezvousRole, console, logDestination)
}

/** @param what it does for whom, in a few words for the first line. */
async function runRole(
  what: string,
  given: RoleConfig,
  create: (config: RoleConfig, parts: RoleParts) => Pick<Role, 'start' | 'stop'>,
  console: Console,
  logDestination: DestinationStream,
): Promise<void> {
  const config = { ...given, dataDir: prepareDataDir(given.dataDir) }
  const lock = lockDataDir(config.dataDir, LOCK_WAIT_MS)
  if (lock === undefined)
    throw new CommandError(
      `another bridge or role is running on ${config.dataDir}: stop it, or give this one its own folder with --data-dir`,
    )
  try {
    await checkPorts(config)
    const { clock, randomBytes, version } = console
    const log = createLog({ level: config.logLevel, destination: logDestination })
    const role = create(config, { log, clock, randomBytes, version, processMetrics: collectProcessMetrics() })
    try {
      console.print(formatRole(what, config, await role.start()))
      log.info({ signal: await console.stopRequested }, 'stopping')
    } finally {
      const isInTime = await withDeadline(stopAll([() => role.stop()]), STOP_DEADLINE_MS)
      if (isInTime) log.info('stopped')
      else log.warn('gave up waiting for connections to end')
    }
  } finally {
    lock.release()
  }
}

/** Before anything is built on them, so that the line names the right flag. */
async function checkPorts({ host, port, listenAddrs }: RoleConfig): Promise<void> {
  await checkPort(host, port, '--port')
  for (const address of listenAddrs) {
    const [ip, transport] = multiaddr(address).getComponents()
    const [on, number] = [ip?.value ?? host, Number(transport?.value ?? 0)]
    if (transport?.name === 'tcp') await checkPort(on, number, '--p2p-port or --listen-addrs', '--listen-addrs or --host')
    else await checkUdpPort(on, number, '--p2p-port or --listen-addrs', '--listen-addrs or --host')
  }
}

function formatRole(
  what: string,
  config: RoleConfig,
  { peer, addresses, port, noQuic }: Pick<RunningRole, 'peer' | 'addresses' | 'port' | 'noQuic'>,
): string {
  const host = config.host.includes(':') ? `[${config.host}]` : config.host
  const lines = ['', `Footbridge ${what}`, '', `  PeerID     ${peer}`]
  for (const address of addresses) lines.push(`  address    ${address}`)
  if (noQuic !== undefined) lines.push(`  QUIC       none: ${noQuic}`)
  lines.push(`  HTTP       http://${host}:${port} (/healthz, /health, /info, /metrics)`, `  data       ${config.dataDir}`, '')
  if (addresses.every((address) => isLoopback(multiaddr(address).getComponents()[0]?.value ?? '')))
    lines.push('Only this machine reaches it: give --host 0.0.0.0 for others.', '')
  lines.push('Ctrl+C stops it.', '')
  return lines.join('\n')
}
