/** What ran: versions of installed packages, and the machine. */
import { readFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { root } from '../../../scripts/steps.ts'

/** The installed version of a package. */
export function versionOf(name: string): string {
  return (JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }).version
}

/** One line: runtime, processor, load of the last minute. */
export function describeMachine(): string {
  const [processor] = cpus()
  const memory = (totalmem() / 2 ** 30).toFixed(0)
  return `Node ${process.versions.node}, ${cpus().length} x ${processor?.model ?? 'unknown processor'}, ${memory} GiB, load ${loadavg()[0]?.toFixed(2)}`
}
