/**
 * Brings bare-page.ts or first-hop-page.ts into a browser: bundled by Vite, run on a page of the bridge's own origin that loads nothing of the app.
 */
import type { Page } from '@playwright/test'
import { join } from 'node:path'
import { build, type Rolldown } from 'vite'
import { root } from '../../scripts/steps.ts'
import type { Bare } from './bare-page.ts'
import type { FirstHop } from './first-hop-page.ts'

declare global {
  /** Set by bare-page.ts, there and nowhere else. */
  var bare: Bare
  /** Set by first-hop-page.ts. */
  var firstHop: FirstHop
}

const bundles = new Map<string, Promise<string>>()

async function bundled(entry: string): Promise<string> {
  const output = (await build({
    configFile: false,
    root,
    logLevel: 'error',
    build: {
      write: false,
      target: 'es2023',
      lib: { entry: join(root, 'e2e/bench', entry), formats: ['iife'], name: 'barePage' },
    },
  })) as Rolldown.RolldownOutput[]
  const chunk = output[0]?.output[0]
  if (chunk === undefined) throw new Error('nothing was built')
  return chunk.code
}

/** Opens a page of `origin` that is not the app, and gives it `globalThis.bare`. A real answer of the bridge: Chromium keeps a made-up page from local sockets. */
export async function openBare(page: Page, origin: string): Promise<void> {
  await openWith(page, origin, 'bare-page.ts', 'bare')
}

/** The same with `globalThis.firstHop`. */
export async function openFirstHop(page: Page, origin: string): Promise<void> {
  await openWith(page, origin, 'first-hop-page.ts', 'firstHop')
}

async function openWith(page: Page, origin: string, entry: string, name: string): Promise<void> {
  const code = bundles.get(entry) ?? bundled(entry)
  bundles.set(entry, code)
  await page.goto(`${origin}/healthz`)
  await page.evaluate(await code)
  await page.waitForFunction((key) => key in globalThis, name)
}
