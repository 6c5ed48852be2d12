/**
 * Installs the engines that a run needs and the machine lacks, from Debian where that is what the machine has. Chromium: helpers/chromium.ts.
 */
import { ensurePrograms } from '../../scripts/debian.ts'
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
  if (engines.includes('firefox') && process.env['FIREFOX_PATH'] === undefined) ensurePrograms(PACKAGES.firefox)
  if (engines.includes('webkit')) {
    ensurePrograms(PACKAGES.webkit)
    if (findMiniBrowser() === undefined)
      throw new Error('no MiniBrowser, which WebKitWebDriver drives: apt-get install libwebkit2gtk-4.1-0')
  }
  return engines.includes('chromium') ? { CHROMIUM_PATH: ensureChromium() } : {}
}
