/**
 * Where the foreign peers' programs come from: built from the sources beside this file, outside the checkout, and kept there under a name that changes with
 * the sources. A toolchain that is not here is said; it is for the report to be loud about it.
 */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, existsSync, globSync, mkdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { nativeNode } from '../../scripts/newer-glibc.ts'
import { root } from '../../scripts/steps.ts'

export const KINDS = ['go', 'rust', 'js'] as const
export type Kind = (typeof KINDS)[number]

export interface Program {
  readonly kind: Kind
  /** Of its libp2p, for people. */
  readonly version: string
  readonly command: readonly string[]
}

/** Without a full stop. */
export interface Missing {
  readonly kind: Kind
  readonly missing: string
}

/** From nothing on one slow core. */
const BUILD_MS = 40 * 60_000
const source = join(root, 'e2e/interop')
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'footbridge')

/** @throws when a program does not build where there is a toolchain: that is a failure, not a lack. */
export function build(kind: Kind, note: (line: string) => void): Program | Missing {
  if (kind === 'go') return buildGo(note)
  if (kind === 'rust') return buildRust(note)
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules/libp2p/package.json'), 'utf8')) as { version: string }
  return { kind, version: `js-libp2p ${version}`, command: [...nativeNode(), 'e2e/interop/js-peer.ts'] }
}

function buildGo(note: (line: string) => void): Program | Missing {
  if (spawnSync('go', ['version']).status !== 0) return { kind: 'go', missing: 'Go is not installed' }
  const from = join(source, 'go')
  const folder = join(cache, `interop-go-${hashOf(from, ['go.mod', 'go.sum', 'peer/*.go'])}`)
  const program = join(folder, 'peer')
  if (!existsSync(program)) {
    note('building the go-libp2p peer')
    mkdirSync(folder, { recursive: true })
    succeed('the go-libp2p peer', nice(['go', 'build', '-trimpath', '-o', program, './peer'], from))
  }
  const version = /go-libp2p v(\S+)/.exec(readFileSync(join(from, 'go.mod'), 'utf8'))?.[1] ?? ''
  return { kind: 'go', version: `go-libp2p ${version}`, command: [program] }
}

/** Under the hash of what it is made of: other sources of ours, with the same crates, compile in seconds. */
function buildRust(note: (line: string) => void): Program | Missing {
  if (spawnSync('cargo', ['--version']).status !== 0) return { kind: 'rust', missing: 'Rust is not installed' }
  const manifest = readFileSync(join(source, 'rust/Cargo.toml'), 'utf8')
  const folder = join(cache, `interop-rust-${hashOf(join(source, 'rust'), ['Cargo.toml'])}`)
  mkdirSync(folder, { recursive: true })
  for (const part of ['Cargo.toml', 'src'])
    cpSync(join(source, 'rust', part), join(folder, part), { recursive: true, preserveTimestamps: true })
  note('building the rust-libp2p peer: from nothing that takes many minutes')
  succeed('the rust-libp2p peer', nice(['cargo', 'build', '--release', '--quiet'], folder))
  const version = `rust-libp2p ${/libp2p = \{ version = "=([^"]+)"/.exec(manifest)?.[1] ?? ''}`
  return { kind: 'rust', version, command: [join(folder, 'target/release/footbridge-interop-peer')] }
}

/** Whoever works on this machine meanwhile comes first. */
function nice(command: readonly string[], cwd: string): SpawnSyncReturns<string> {
  return spawnSync('nice', ['-n', '19', ...command], { cwd, encoding: 'utf8', timeout: BUILD_MS, maxBuffer: 64 * 1024 * 1024 })
}

function succeed(what: string, { status, stderr, error }: SpawnSyncReturns<string>): void {
  if (status !== 0) throw new Error(`${what} did not build: ${error?.message ?? stderr.slice(-4_000)}`)
}

function hashOf(folder: string, patterns: readonly string[]): string {
  const hash = createHash('sha256')
  for (const file of globSync([...patterns], { cwd: folder }).toSorted()) hash.update(file).update(readFileSync(join(folder, file)))
  return hash.digest('hex').slice(0, 12)
}
