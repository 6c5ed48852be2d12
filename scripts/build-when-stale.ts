/**
 * Builds the web app unless what lies in apps/web/dist is newer than everything it is made of. `npm start` and the journeys call this.
 */
import { spawnSync } from 'node:child_process'
import { globSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pinnedEnv, root } from './steps.ts'

const SOURCES = ['apps/web/**/*', 'packages/{client,protocols,shared}/src/**/*', 'vite.config.ts', 'package-lock.json']

function isStale(): boolean {
  const built = statSync(join(root, 'apps/web/dist/index.html'), { throwIfNoEntry: false })?.mtimeMs
  if (built === undefined) return true
  return globSync(SOURCES, { cwd: root, exclude: (path) => /(^|\/)(dist|node_modules|paraglide)(\/|$)|\.test\.ts$/.test(path) }).some(
    (path) => {
      const source = statSync(join(root, path), { throwIfNoEntry: false })
      return source?.isFile() === true && source.mtimeMs > built
    },
  )
}

if (isStale()) {
  const { status } = spawnSync('vite', ['build', '--logLevel', 'error'], { cwd: root, stdio: 'inherit', env: pinnedEnv() })
  process.exitCode = status ?? 1
}
