/**
 * Installs the engines that a run needs and the machine lacks, from Debian where that is what the machine has. Chromium: helpers/chromium.ts.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { pinnedEnv } from '../../scripts/steps.ts'
import { ensureChromium } from '../helpers/chromium.ts'
import type { Engine } from './engines.ts'
import { findMiniBrowser } from './webkit/mini-browser.ts'

/** The package of each program. */
const PACKAGES = {
  firefox: { 'firefox-esr': 'firefox-esr' },
  webkit: { WebKitWebDriver: 'webkit2gtk-driver', Xvfb: 'xvfb', 'dbus-run-session': 'dbus-x11' },
} as const

/** @returns what the run's environment needs. @throws when one is missing and cannot be installed, with what to do. */
export function ensureEngines(engines: readonly Engine[]): Record<string, string> {
  if (engines.includes('firefox') && process.env['FIREFOX_PATH'] === undefined) ensure(PACKAGES.firefox)
  if (engines.includes('webkit')) {
    ensure(PACKAGES.webkit)
    if (findMiniBrowser() === undefined)
      throw new Error('no MiniBrowser, which WebKitWebDriver drives: apt-get install libwebkit2gtk-4.1-0')
  }
  return engines.includes('chromium') ? { CHROMIUM_PATH: ensureChromium() } : {}
}

function ensure(programs: Readonly<Record<string, string>>): void {
  const missing = Object.entries(programs).flatMap(([program, name]) => (isOnPath(program) ? [] : [name]))
  if (missing.length === 0) return
  if (process.getuid?.() === 0 && existsSync('/etc/debian_version')) {
    process.stderr.write(`installing ${missing.join(', ')}\n`)
    const env = pinnedEnv({ DEBIAN_FRONTEND: 'noninteractive' })
    spawnSync('apt-get', ['update', '-qq'], { stdio: 'inherit', env })
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { stdio: 'inherit', env })
  }
  const still = Object.keys(programs).filter((program) => !isOnPath(program))
  if (still.length > 0)
    throw new Error(`not found: ${still.join(', ')}. On Debian: apt-get install ${missing.join(' ')}; or run with --browser chromium`)
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
