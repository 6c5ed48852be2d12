/**
 * Installs what other people's servers the tests need, where the machine has none of the kind: the proxies that the tunnel is tried with
 * (apps/bridge/src/test-real-proxies.ts), a TURN server (apps/bridge/src/test-coturn.ts), and what makes a NAT.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pinnedEnv } from '../../scripts/steps.ts'

/** Programs and the packages of Debian that bring them. */
const PROXIES = {
  nginx: 'nginx-light',
  squid: 'squid-openssl',
  tinyproxy: 'tinyproxy',
  haproxy: 'haproxy',
  caddy: 'caddy',
  turnserver: 'coturn',
  nft: 'nftables',
} as const

type Program = keyof typeof PROXIES

/** @param wanted all of them, unless told otherwise. @throws when some are missing and cannot be installed, with what to do. */
export function ensureProxies(wanted: readonly Program[] = Object.keys(PROXIES) as Program[]): void {
  const missing = (): Program[] => wanted.filter((program) => !isInstalled(program))
  if (missing().length === 0) return
  process.stderr.write(`installing servers to test with: ${missing().join(', ')}\n`)
  if (process.getuid?.() === 0 && existsSync('/etc/debian_version')) {
    run('apt-get', ['update', '-qq'])
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing().map((program) => PROXIES[program])])
  }
  if (missing().length > 0) throw new Error(`install ${missing().join(', ')}: the tests need them`)
}

function isInstalled(program: Program): boolean {
  return [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'].some((folder) => isExecutable(join(folder, program)))
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
