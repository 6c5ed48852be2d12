/** What the benches in a browser need: Chromium, and the app built from the sources as they are. */
import { spawnSync } from 'node:child_process'
import { ensureChromium } from '../helpers/chromium.ts'
import { pinnedEnv, root } from '../../scripts/steps.ts'

/** For `prepare` of a bench. @throws when the app does not build. */
export function prepareBrowser(): Promise<Readonly<Record<string, string>>> {
  const env = { CHROMIUM_PATH: ensureChromium() }
  const build = spawnSync('node', ['scripts/build-when-stale.ts'], { cwd: root, stdio: ['ignore', 2, 2], env: pinnedEnv(env) })
  if (build.status !== 0) throw new Error('the app did not build')
  return Promise.resolve(env)
}
