/**
 * `npm run bench -- <name> [--json]`: runs one bench of this folder in a network of its own. `--json` prints one object a row, and nothing else, to
 * standard output. Further flags are the bench's own.
 */
import { spawnSync } from 'node:child_process'
import { inNamespace } from '../helpers/namespace.ts'
import { pinnedEnv, root } from '../../scripts/steps.ts'
import { print, type Bench } from './bench.ts'

/** Loaded when asked for: one needs a browser's tools, another half of libp2p. */
const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  login: async () => (await import('./login.ts')).login,
  blob: async () => (await import('./blob.ts')).blob,
  race: async () => (await import('./race.ts')).race,
  'first-hop': async () => (await import('./first-hop.ts')).firstHops,
  relay: async () => (await import('./relay/relay.ts')).relay,
}
const args = process.argv.slice(2)
const load = benches[args.find((arg) => !arg.startsWith('--')) ?? '']
const flags = args.filter((arg) => arg.startsWith('--'))
const json = flags.includes('--json')

if (load === undefined) {
  console.error(`npm run bench -- <${Object.keys(benches).join('|')}> [--json]`)
  process.exitCode = 1
} else if (args.includes('--inside')) {
  const bench = await load()
  console.error(bench.title)
  for (const row of await bench.run((line) => console.error(line), flags)) console.log(json ? JSON.stringify(row) : print(row))
  process.exit()
} else {
  // What needs the machine's own network is made before it is gone.
  const env = pinnedEnv(await (await load()).prepare(flags))
  const [program = '', ...rest] = inNamespace(['node', 'e2e/bench/run.ts', ...args, '--inside'])
  process.exitCode = spawnSync(program, rest, { cwd: root, stdio: 'inherit', env }).status ?? 1
}
