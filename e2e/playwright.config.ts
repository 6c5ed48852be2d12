/**
 * The journeys: one spec file for each numbered point of what the product promises, in real browsers against a real bridge; a project for each engine, and
 * one in which different engines meet. Run them with `npm run e2e`, which finds or installs the browsers and makes a network for WebRTC.
 */
import { defineConfig, type Project } from '@playwright/test'
import { browserNameOf, ENGINES, launchOptions, type Engine } from './engines/engines.ts'
import { filesNotIn, tagOf } from './engines/not-in.ts'
import { workers } from './helpers/namespace.ts'

const PAIRS = '13-engines.spec.ts'

function project(engine: Engine): Project {
  const { channel, ...options } = launchOptions(engine)
  return {
    name: engine,
    testIgnore: [PAIRS, ...Object.keys(filesNotIn(engine))].map((file) => `**/${file}`),
    // A browser of its own for each person, or a driver between, takes longer to start.
    timeout: engine === 'chromium' ? 60_000 : 120_000,
    grepInvert: new RegExp(`${tagOf(engine)}\\b`),
    use: {
      browserName: browserNameOf(engine),
      ...(channel !== undefined && { channel }),
      launchOptions: options,
      // A trace is a recording by Chromium's tools; the others keep the page and its console.
      ...(engine === 'chromium' ? { trace: 'retain-on-failure' } : { screenshot: 'only-on-failure' }),
    },
  }
}

export default defineConfig({
  testDir: './browser',
  outputDir: './test-results',
  // A flaky journey is a fault of the product until shown otherwise: no second try.
  retries: 0,
  workers,
  fullyParallel: false,
  forbidOnly: true,
  timeout: 60_000,
  expect: { timeout: 15_000 },
  reporter: [['list']],
  use: { locale: 'en-GB', viewport: { width: 1280, height: 800 }, actionTimeout: 15_000 },
  projects: [...ENGINES.map(project), { name: 'pairs', testMatch: `**/${PAIRS}` }],
})
