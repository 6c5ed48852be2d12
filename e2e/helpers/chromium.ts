/**
 * Finds a Chromium for the journeys and benches, and installs one where the machine has none.
 */
import { chromium } from '@playwright/test'
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pinnedEnv, root } from '../../scripts/steps.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** The executable: $CHROMIUM_PATH, one on the PATH, or Playwright's own; undefined when there is none. */
export function findChromium(): string | undefined {
  const named = process.env['CHROMIUM_PATH']
  if (named !== undefined) return named
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const onPath = NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable)
  return onPath ?? (existsSync(chromium.executablePath()) ? chromium.executablePath() : undefined)
}

/** @throws when none is found and none can be installed, with what to do. */
export function ensureChromium(): string {
  const found = findChromium()
  if (found !== undefined) return found
  process.stderr.write('no Chromium found: installing one\n')
  if (process.getuid?.() === 0 && existsSync('/etc/debian_version')) {
    run('apt-get', ['update', '-qq'])
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium'])
  }
  if (findChromium() === undefined) run('playwright', ['install', 'chromium'])
  const installed = findChromium()
  if (installed === undefined) throw new Error('no Chromium: install one, or name it in CHROMIUM_PATH')
  return installed
}

function run(program: string, args: readonly string[]): void {
  spawnSync(program, args, { cwd: root, stdio: 'inherit', env: pinnedEnv({ DEBIAN_FRONTEND: 'noninteractive' }) })
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
