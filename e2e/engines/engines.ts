/**
 * The three browser engines of the journeys, and how Playwright starts each. Chromium it drives itself; Firefox over WebDriver BiDi (firefox/bidi.ts);
 * WebKitGTK over a translation of that (webkit/bidi.ts). What comes of it is always Playwright's own Browser.
 * Not here: installing them (ensure.ts), which journeys leave one out (not-in.ts).
 */
import { chromium, firefox, type Browser, type BrowserContext, type BrowserType, type LaunchOptions } from '@playwright/test'
import { join } from 'node:path'
import { root } from '../../scripts/steps.ts'
import { findChromium } from '../helpers/chromium.ts'

export const ENGINES = ['chromium', 'firefox', 'webkit'] as const
export type Engine = (typeof ENGINES)[number]

export function isEngine(name: string | undefined): name is Engine {
  return ENGINES.some((engine) => engine === name)
}

/** What Playwright launches for `engine`. */
export function launchOptions(engine: Engine): LaunchOptions {
  if (engine === 'chromium') {
    const executablePath = findChromium()
    return executablePath === undefined ? {} : { executablePath }
  }
  return { channel: 'moz-firefox', executablePath: join(root, 'e2e/engines', engine, 'bidi.ts') }
}

/** Playwright's name for what speaks the protocol: WebKitGTK is spoken to as Firefox is. */
export function browserNameOf(engine: Engine): 'chromium' | 'firefox' {
  return engine === 'chromium' ? 'chromium' : 'firefox'
}

export async function launch(engine: Engine): Promise<Browser> {
  return await typeOf(engine).launch(launchOptions(engine))
}

/** A browser that keeps its one profile in `folder`. */
export async function launchPersistent(engine: Engine, folder: string): Promise<BrowserContext> {
  return await typeOf(engine).launchPersistentContext(folder, launchOptions(engine))
}

function typeOf(engine: Engine): BrowserType {
  return browserNameOf(engine) === 'chromium' ? chromium : firefox
}
