/**
 * `npm run e2e [-- --browser chromium|firefox|webkit|pairs|all] [<playwright arguments>]`: builds the web app if need be and runs the journeys, for example
 * `npm run e2e -- 06-file --headed`. Chromium unless another is named; `pairs` are those in which different engines meet.
 */
import { spawnSync } from 'node:child_process'
import { ENGINES, isEngine } from '../e2e/engines/engines.ts'
import { ensureEngines } from '../e2e/engines/ensure.ts'
import { leftOut } from '../e2e/engines/left-out.ts'
import { inNamespace } from '../e2e/helpers/namespace.ts'
import { ensureProxies } from '../e2e/helpers/proxies.ts'
import { nativeNode } from './newer-glibc.ts'
import { pinnedEnv, root } from './steps.ts'

const { browser, args } = readArguments(process.argv.slice(2))
const engines = isEngine(browser) ? [browser] : ENGINES
// What the journeys need from outside is fetched before they are in a network of their own.
nativeNode()
ensureProxies(['turnserver', 'nft'])
const env = pinnedEnv(ensureEngines(engines))
const build = spawnSync('node', ['scripts/build-when-stale.ts'], { cwd: root, stdio: 'inherit', env })
if (build.status === 0) {
  const projects = browser === 'all' ? [...ENGINES, 'pairs'] : [browser]
  const command = ['playwright', 'test', '--config', 'e2e/playwright.config.ts', ...projects.map((name) => `--project=${name}`), ...args]
  const [program = '', ...rest] = inNamespace(command)
  process.exitCode = spawnSync(program, rest, { cwd: root, stdio: 'inherit', env }).status ?? 1
  for (const engine of projects.filter(isEngine)) for (const line of leftOut(engine, args)) console.log(`not in ${engine}: ${line}`)
} else process.exitCode = 1

function readArguments(given: readonly string[]): { browser: string; args: readonly string[] } {
  const at = given.indexOf('--browser')
  if (at < 0) return { browser: 'chromium', args: given }
  const browser = given[at + 1]
  if (!isEngine(browser) && browser !== 'pairs' && browser !== 'all')
    throw new Error(`--browser is chromium, firefox, webkit, pairs or all, not ${browser ?? 'nothing'}`)
  return { browser, args: given.filter((_value, index) => index !== at && index !== at + 1) }
}
