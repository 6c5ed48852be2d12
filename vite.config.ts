/**
 * Two things in one place: how the web app is built, and the test projects that vitest runs.
 * Not here: end-to-end tests (e2e/playwright.config.ts).
 */
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  root: here('apps/web'),
  plugins: [svelte()],
  // The manifest tells the size budgets which chunk is which (.size-limit.mjs).
  build: { outDir: here('apps/web/dist'), emptyOutDir: true, target: 'es2023', manifest: true },
  test: {
    root: here('.'),
    include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'e2e/helpers/**/*.test.ts'],
    environment: 'node',
  },
})
