/**
 * Finds a Chromium for the journeys and benches, and installs one where the machine has none.
 */
import { chromium } from '@playwright/test'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { findProgram, installPackages } from '../../scripts/debian.ts'
import { pinnedEnv, root } from '../../scripts/steps.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** The executable: $CHROMIUM_PATH, one on the PATH, or Playwright's own; undefined when there is none. */
export function findChromium(): string | undefined {
  const named = process.env['CHROMIUM_PATH']
  if (named !== undefined) return named
  const onPath = NAMES.map(findProgram).find((path) => path !== undefined)
  return onPath ?? (existsSync(chromium.executablePath()) ? chromium.executablePath() : undefined)
}

/** @throws when none is found and none can be installed, with what to do. */
export function ensureChromium(): string {
  const found = findChromium()
  if (found !== undefined) return found
  installPackages(['chromium'])
  if (findChromium() === undefined) spawnSync('playwright', ['install', 'chromium'], { cwd: root, stdio: 'inherit', env: pinnedEnv() })
  const installed = findChromium()
  if (installed === undefined) throw new Error('no Chromium: install one, or name it in CHROMIUM_PATH')
  return installed
}
