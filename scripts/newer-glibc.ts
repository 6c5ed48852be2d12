/**
 * How to run Node where a native module needs a newer C library than the machine has (@moq/web-transport: glibc 2.38; Debian 12 has 2.36): Debian 13's
 * library is fetched with apt, unpacked into .cache and used by starting Node with its loader. Nothing of the machine changes, and no root is needed.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './steps.ts'

const NEEDED = '2.38'
const SUITE = 'trixie'
const PACKAGES = ['libc6', 'libstdc++6', 'libgcc-s1']
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
const cache = join(root, '.cache')
const unpacked = join(cache, `glibc-${SUITE}`)

/** The command that starts the pinned Node: alone, or through a newer loader. @throws when the machine is too old and no Debian. */
export function nativeNode(): readonly string[] {
  const node = join(root, 'node_modules/node/bin/node')
  const installed = glibcVersion()
  if (installed === undefined || !isOlder(installed, NEEDED)) return [node]
  if (!existsSync(unpacked)) install()
  const [loader] = globSync('usr/lib*/**/ld-linux-*.so.*', { cwd: unpacked }).toSorted()
  if (loader === undefined) throw new Error(`no loader in ${unpacked}: remove that folder and try again`)
  const libraries = globSync('usr/lib/*-linux-gnu', { cwd: unpacked }).map((folder) => join(unpacked, folder))
  const own = globSync(['/lib/*-linux-gnu', '/usr/lib/*-linux-gnu'])
  return [join(unpacked, loader), '--library-path', [...libraries, ...own].join(':'), node]
}

/** Undefined where there is no glibc at all: macOS, Windows, musl. */
function glibcVersion(): string | undefined {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime
}

function isOlder(version: string, than: string): boolean {
  return version.localeCompare(than, 'en', { numeric: true }) < 0
}

function install(): void {
  if (!existsSync(KEYRING)) throw new Error(`WebTransport needs glibc ${NEEDED}, and only on Debian is there a way around an older one`)
  process.stderr.write(`fetching ${SUITE}'s C library, because WebTransport needs glibc ${NEEDED}\n`)
  const work = `${unpacked}.${process.pid}`
  for (const folder of ['lists/partial', 'packages/archives/partial', 'root']) mkdirSync(join(work, folder), { recursive: true })
  const sources = join(work, 'sources.list')
  writeFileSync(sources, `deb [signed-by=${KEYRING}] ${mirror()} ${SUITE} main\n`)
  const options = [
    `Dir::Etc::sourcelist=${sources}`,
    'Dir::Etc::sourceparts=-',
    `Dir::State::lists=${join(work, 'lists')}`,
    `Dir::Cache=${join(work, 'packages')}`,
    'Acquire::Languages=none',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false',
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option])
  try {
    run('apt-get', [...options, '-qq', 'update'], work)
    run('apt-get', [...options, '-qq', 'download', ...PACKAGES], work)
    for (const archive of globSync('*.deb', { cwd: work })) run('dpkg-deb', ['-x', archive, 'root'], work)
    // Complete or not there at all: two runs at once do no harm.
    if (!existsSync(unpacked)) renameSync(join(work, 'root'), unpacked)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** Where this machine gets its Debian from. */
function mirror(): string {
  const files = globSync(['/etc/apt/sources.list', '/etc/apt/sources.list.d/*.{list,sources}'])
  const found = files.flatMap(
    (file) => readFileSync(file, 'utf8').match(/^(?:URIs:|deb )[^#\n]*?(https?:\/\/\S+\/debian)\/?(?=\s|$)/m)?.[1] ?? [],
  )
  if (found[0] === undefined) throw new Error('no Debian mirror in /etc/apt: add one, or run on a system with glibc 2.38')
  return found[0]
}

function run(program: string, args: readonly string[], cwd: string): void {
  const { status, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
  if (status !== 0) throw new Error(`${program} ${args.at(-1)} failed: ${stderr}`)
}
