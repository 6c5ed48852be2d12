/**
 * go-libp2p's relay service with its limits off, over WebSocket: the program in ../go, pinned by its go.sum and built outside the project.
 * Left out where there is no Go, or where its modules cannot be fetched.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { root } from '../../../../scripts/steps.ts'
import { Child } from '../../../helpers/child.ts'
import { residentBytes } from '../process-meter.ts'
import type { RelaySubject } from './subject.ts'

const source = join(root, 'e2e/bench/relay/go')
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'footbridge-bench')
const program = join(cache, 'go-relay')
const [, pinned = ''] = /go-libp2p (v\S+)/.exec(readFileSync(join(source, 'go.mod'), 'utf8')) ?? []

export const go: RelaySubject = {
  id: 'go',
  name: 'go-libp2p',
  version: `go-libp2p ${pinned} (${goVersion() ?? 'no Go'})`,
  prepare() {
    if (goVersion() === undefined) return
    mkdirSync(cache, { recursive: true })
    // Go looks itself whether the program is current. A failed build says so on standard error; `missing` then tells.
    spawnSync('go', ['build', '-trimpath', '-o', program, '.'], { cwd: source, stdio: ['ignore', 2, 2] })
  },
  missing: () => (goVersion() === undefined ? 'Go is not installed' : existsSync(program) ? undefined : 'it did not build'),
  async start() {
    const child = new Child([program])
    const address = await child.line((line) => (line.startsWith('/ip4/') ? line : undefined))
    let answers = 0
    return {
      entry: { protocol: 'libp2p', address },
      pid: child.pid,
      async memory() {
        const wanted = ++answers
        let seen = 0
        child.writeLine('memory')
        const held = await child.line((line) => (/^\d+$/.test(line) && ++seen === wanted ? Number(line) : undefined))
        return { rss: residentBytes(child.pid), held }
      },
      stop: async () => void (await child.stop()),
    }
  },
}

function goVersion(): string | undefined {
  const { status, stdout } = spawnSync('go', ['env', 'GOVERSION'], { encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}
