/**
 * Programs of other people that tests need and the machine lacks: installed from Debian where that is what the machine has and we may.
 * Not here: what the NAT lab unpacks beside the machine's own (e2e/lab/tools.ts).
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pinnedEnv } from './steps.ts'

/** Servers stand there, which the PATH of a person who is not root leaves out. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin']

/** The executable of this name. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...SYSTEM_FOLDERS]
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

/** @param packages the package of each program. @throws when one is missing and cannot be installed, with what to do. */
export function ensurePrograms(packages: Readonly<Record<string, string>>): void {
  const missing = (): string[] => Object.keys(packages).filter((program) => findProgram(program) === undefined)
  const wanted = missing().flatMap((program) => packages[program] ?? [])
  if (wanted.length === 0) return
  installPackages(wanted)
  const still = missing()
  if (still.length > 0) throw new Error(`not found: ${still.join(', ')}. On Debian: apt-get install ${wanted.join(' ')}`)
}

/** Does nothing where that is not possible. */
export function installPackages(names: readonly string[]): void {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return
  process.stderr.write(`installing ${names.join(', ')}\n`)
  // A package's own service must not start: it would take ports of this machine.
  const env = pinnedEnv({ DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' })
  spawnSync('apt-get', ['update', '-qq'], { stdio: 'inherit', env })
  spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], { stdio: 'inherit', env })
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
