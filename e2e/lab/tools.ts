/**
 * The programs that the lab needs beside Node and Chromium: what is not on the PATH is fetched from Debian's archive and unpacked into .cache, so that nothing
 * of the machine changes and no server is started by its package. squid always comes so: Debian has a second build of it that opens no TLS, and the two
 * exclude each other.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, delimiter, join } from 'node:path'
import { root } from '../../scripts/steps.ts'

const PACKAGES = {
  ip: 'iproute2',
  nft: 'nftables',
  ethtool: 'ethtool',
  openssl: 'openssl',
  nginx: 'nginx-light',
  tinyproxy: 'tinyproxy-bin',
  squid: 'squid-openssl squid-common squid-langpack',
  miniupnpd: 'miniupnpd-nftables',
} as const
const PROGRAM_FOLDERS = ['usr/sbin', 'usr/bin', 'sbin', 'bin', 'usr/lib/squid']
/** `root/` is what was TOOLS, `bin/` runs it. */
export const TOOLS = join(root, '.cache/lab-tools')

/** Puts all programs on this process's PATH, and so on that of what it starts. @throws when one is missing and cannot be fetched, saying which. */
export function ensureTools(): void {
  const path = process.env['PATH'] ?? ''
  const onPath = (name: string): boolean =>
    name !== 'squid' && [...path.split(delimiter), '/usr/sbin', '/sbin'].some((folder) => existsSync(join(folder, name)))
  const wanted = Object.entries(PACKAGES).filter(([name]) => !onPath(name) && !existsSync(join(TOOLS, 'bin', name)))
  if (wanted.length > 0) fetchPackages(wanted.flatMap(([, archives]) => archives.split(' ')))
  process.env['PATH'] = [join(TOOLS, 'bin'), path, '/usr/sbin', '/sbin'].join(delimiter)
}

function fetchPackages(names: readonly string[]): void {
  if (!existsSync('/etc/debian_version'))
    throw new Error(`the lab needs ${names.join(', ')}, which only Debian has under these names: install them`)
  process.stderr.write(`the lab fetches ${names.join(', ')}\n`)
  mkdirSync(TOOLS, { recursive: true })
  const work = mkdtempSync(join(TOOLS, 'work-'))
  const archives = join(work, 'archives')
  mkdirSync(join(archives, 'partial'), { recursive: true })
  // With all that they need and the machine lacks. Its own lists and archives stay as they are, but for lists that are missing.
  const options = [`Dir::Cache::archives=${archives}`, 'Debug::NoLocking=1', 'APT::Sandbox::User=root'].flatMap((option) => ['-o', option])
  const install = ['install', '-y', '-qq', '--no-install-recommends', '--download-only', '--reinstall', '--allow-remove-essential']
  try {
    run('apt-get', ['-qq', 'update'], work)
    run('apt-get', [...options, ...install, ...names], work)
    for (const archive of globSync('*.deb', { cwd: archives })) run('dpkg-deb', ['-x', join(archives, archive), 'root'], work)
    // Over what an earlier run TOOLS, if any.
    run('cp', ['-a', 'root', TOOLS], work)
    writeWrappers()
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** Each finds its own libraries, and nobody else's programs do. */
function writeWrappers(): void {
  const bin = join(TOOLS, 'bin')
  mkdirSync(bin, { recursive: true })
  const rootFolder = join(TOOLS, 'root')
  const libraries = globSync(['usr/lib/*-linux-gnu', 'lib/*-linux-gnu'], { cwd: rootFolder }).map((folder) => join(rootFolder, folder))
  for (const folder of PROGRAM_FOLDERS)
    for (const program of globSync(`${folder}/*`, { cwd: rootFolder })) {
      const file = join(bin, basename(program))
      writeFileSync(`${file}.new`, `#!/bin/sh\nLD_LIBRARY_PATH=${libraries.join(':')} exec ${join(rootFolder, program)} "$@"\n`)
      chmodSync(`${file}.new`, 0o755)
      renameSync(`${file}.new`, file)
    }
}

function run(program: string, args: readonly string[], cwd: string): void {
  const { status, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
  if (status !== 0) throw new Error(`${program} ${args.at(-1)} failed: ${stderr}`)
}
