/**
 * `npm run test:webtransport [-- <vitest arguments>]`: the tests that need the native WebTransport module, `*.native.test.ts`, and a Chromium for some.
 * They run apart from the other unit tests because an older Debian needs a newer C library under Node for them (newer-glibc.ts).
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ensureChromium } from '../e2e/helpers/chromium.ts'
import { nativeNode } from './newer-glibc.ts'
import { pinnedEnv, root } from './steps.ts'

const [program = '', ...args] = nativeNode()
const { status } = spawnSync(
  program,
  [...args, join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--config', 'vitest.native.config.ts', ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit', env: pinnedEnv({ CHROMIUM_PATH: ensureChromium() }) },
)
process.exitCode = status ?? 1
