/**
 * Takes a run's namespaces away, with every process in them: at its end, and before the next run those that a killed one left behind. Looks at names alone,
 * and at nothing that is not the lab's.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What `ip netns exec` puts in the place of /etc/hosts. */
export const NETNS_FILES = '/etc/netns'
const NAME = /^fblab(\d+)-/

/** Where a run keeps its files. */
export function folderOf(run: number): string {
  return join(tmpdir(), `footbridge-lab-${run}`)
}

/** @returns the runs that are there now, whether alive or not. */
export function runsHere(): readonly number[] {
  const names = existsSync('/run/netns') ? readdirSync('/run/netns') : []
  const files = existsSync(NETNS_FILES) ? readdirSync(NETNS_FILES) : []
  const folders = globSync('footbridge-lab-*', { cwd: tmpdir() }).map((name) => `fblab${name.slice('footbridge-lab-'.length)}-`)
  return [...new Set([...names, ...files, ...folders].flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number))]
}

/** Whether the process that made a run is still there, and is a lab. */
export function isAlive(run: number): boolean {
  try {
    return readFileSync(`/proc/${run}/cmdline`, 'utf8').includes('e2e/lab/run.ts')
  } catch {
    return false
  }
}

/** Idempotent. */
export function sweep(run: number): void {
  const isOurs = (name: string): boolean => name.startsWith(`fblab${run}-`)
  const names = existsSync('/run/netns') ? readdirSync('/run/netns').filter(isOurs) : []
  for (const name of names) for (const pid of processesIn(name)) end(pid)
  // A namespace lives on in a process that is only just ending; without a name nobody finds it again, and its devices go with it.
  for (const name of names) execFileSync('ip', ['netns', 'del', name], { stdio: 'ignore' })
  for (const name of existsSync(NETNS_FILES) ? readdirSync(NETNS_FILES).filter(isOurs) : [])
    rmSync(join(NETNS_FILES, name), { recursive: true, force: true })
  rmSync(folderOf(run), { recursive: true, force: true })
}

function processesIn(name: string): readonly number[] {
  const text = execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8' })
  return text.split('\n').filter(Boolean).map(Number)
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has just ended by itself.
  }
}
