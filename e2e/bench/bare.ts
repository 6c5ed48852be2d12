/**
 * Brings bare-page.ts into a browser: bundled by Vite, served on the bridge's own origin by the test's hand, so that nothing of the app is loaded.
 */
import type { Page } from '@playwright/test'
import { join } from 'node:path'
import { build, type Rolldown } from 'vite'
import { root } from '../../scripts/steps.ts'
import type { Bare } from './bare-page.ts'

declare global {
  /** Set by bare-page.ts, there and nowhere else. */
  var bare: Bare
}

let bundle: Promise<string> | undefined

async function bundled(): Promise<string> {
  const output = (await build({
    configFile: false,
    root,
    logLevel: 'error',
    build: {
      write: false,
      target: 'es2023',
      lib: { entry: join(root, 'e2e/bench/bare-page.ts'), formats: ['iife'], name: 'barePage' },
    },
  })) as Rolldown.RolldownOutput[]
  const chunk = output[0]?.output[0]
  if (chunk === undefined) throw new Error('nothing was built')
  return chunk.code
}

/** Opens an empty page on `origin` that has `globalThis.bare`. */
export async function openBare(page: Page, origin: string): Promise<void> {
  const code = await (bundle ??= bundled())
  await page.route(`${origin}/bench.js`, (route) => route.fulfill({ contentType: 'text/javascript', body: code }))
  await page.route(`${origin}/bench`, (route) => route.fulfill({ contentType: 'text/html', body: '<script src="/bench.js"></script>' }))
  await page.goto(`${origin}/bench`)
  await page.waitForFunction(() => 'bare' in globalThis)
}
