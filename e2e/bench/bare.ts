/**
 * Brings bare-page.ts into a browser: bundled by Vite, run on a page of the bridge's own origin that loads nothing of the app.
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

/** Opens a page of `origin` that is not the app, and gives it `globalThis.bare`. A real answer of the bridge: Chromium keeps a made-up page from local sockets. */
export async function openBare(page: Page, origin: string): Promise<void> {
  const code = await (bundle ??= bundled())
  await page.goto(`${origin}/healthz`)
  await page.evaluate(code)
  await page.waitForFunction(() => 'bare' in globalThis)
}
