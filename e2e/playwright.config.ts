/**
 * The journeys: one spec file for each numbered point of what the product promises, in a real Chromium against a real bridge.
 * Run them with `npm run e2e`, which finds a Chromium and makes a network for WebRTC.
 */
import { defineConfig } from '@playwright/test'
import { findChromium } from './helpers/chromium.ts'
import { workers } from './helpers/namespace.ts'

const executablePath = findChromium()

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
  use: {
    browserName: 'chromium',
    locale: 'en-GB',
    viewport: { width: 1280, height: 800 },
    actionTimeout: 15_000,
    trace: 'retain-on-failure',
    launchOptions: executablePath === undefined ? {} : { executablePath },
  },
})
