/**
 * `npm run bench -- <name> [--json]`: runs one bench of this folder in a network of its own. `--json` prints one object a row, and nothing else, to
 * standard output.
 */
import { spawnSync } from 'node:child_process'
import { ensureChromium } from '../helpers/chromium.ts'
import { inNamespace } from '../helpers/namespace.ts'
import { pinnedEnv, root } from '../../scripts/steps.ts'
import { print } from './bench.ts'
import { blob } from './blob.ts'
import { login } from './login.ts'

const benches = { login, blob }
const args = process.argv.slice(2)
const name = args.find((arg) => !arg.startsWith('--'))
const json = args.includes('--json')

if (name === undefined || !(name in benches)) {
  console.error(`npm run bench -- <${Object.keys(benches).join('|')}> [--json]`)
  process.exitCode = 1
} else if (args.includes('--inside')) {
  const bench = benches[name as keyof typeof benches]
  console.error(bench.title)
  for (const row of await bench.run((line) => console.error(line))) console.log(json ? JSON.stringify(row) : print(row))
  process.exit()
} else {
  const env = pinnedEnv({ CHROMIUM_PATH: ensureChromium() })
  const build = spawnSync('node', ['scripts/build-when-stale.ts'], { cwd: root, stdio: ['ignore', 2, 2], env })
  const [program = '', ...rest] = inNamespace(['node', 'e2e/bench/run.ts', ...args, '--inside'])
  process.exitCode = build.status === 0 ? (spawnSync(program, rest, { cwd: root, stdio: 'inherit', env }).status ?? 1) : 1
}
