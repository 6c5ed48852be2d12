/**
 * `npm run e2e [-- <playwright arguments>]`: builds the web app if need be and runs the journeys, for example `npm run e2e -- 06-file --headed`.
 */
import { spawnSync } from 'node:child_process'
import { ensureChromium } from '../e2e/helpers/chromium.ts'
import { inNamespace } from '../e2e/helpers/namespace.ts'
import { nativeNode } from './newer-glibc.ts'
import { pinnedEnv, root } from './steps.ts'

// What the journeys need from outside is fetched before they are in a network of their own.
nativeNode()
const env = pinnedEnv({ CHROMIUM_PATH: ensureChromium() })
const build = spawnSync('node', ['scripts/build-when-stale.ts'], { cwd: root, stdio: 'inherit', env })
if (build.status === 0) {
  const [program = '', ...args] = inNamespace(['playwright', 'test', '--config', 'e2e/playwright.config.ts', ...process.argv.slice(2)])
  process.exitCode = spawnSync(program, args, { cwd: root, stdio: 'inherit', env }).status ?? 1
} else process.exitCode = 1
