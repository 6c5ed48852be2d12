/**
 * Installs the proxies that the tunnel is tried with (apps/bridge/src/test-real-proxies.ts), where the machine has none of the kind.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pinnedEnv } from '../../scripts/steps.ts'

/** Programs and the packages of Debian that bring them. */
const PROXIES = { nginx: 'nginx-light', squid: 'squid-openssl', tinyproxy: 'tinyproxy', haproxy: 'haproxy', caddy: 'caddy' } as const

/** @throws when some are missing and cannot be installed, with what to do. */
export function ensureProxies(): void {
  if (missing().length === 0) return
  process.stderr.write(`installing proxies to test with: ${missing().join(', ')}\n`)
  if (process.getuid?.() === 0 && existsSync('/etc/debian_version')) {
    run('apt-get', ['update', '-qq'])
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing().map((program) => PROXIES[program])])
  }
  if (missing().length > 0) throw new Error(`install ${missing().join(', ')}: the tunnel is tried with them`)
}

function missing(): (keyof typeof PROXIES)[] {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return (Object.keys(PROXIES) as (keyof typeof PROXIES)[]).filter(
    (program) => !folders.some((folder) => isExecutable(join(folder, program))),
  )
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

function run(program: string, args: readonly string[]): void {
  // A package's own service must not start: it would take ports of this machine.
  spawnSync(program, args, { stdio: 'inherit', env: pinnedEnv({ DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }) })
}
