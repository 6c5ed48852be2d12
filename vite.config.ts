/**
 * Two things in one place: how the web app is built, and the test projects that vitest runs.
 * Not here: end-to-end tests (e2e/playwright.config.ts).
 */
import { paraglideVitePlugin } from '@inlang/paraglide-js'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { VitePWA } from 'vite-plugin-pwa'
import { configDefaults, defineConfig } from 'vitest/config'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** messages/en.json becomes functions in src/lib/paraglide, which is not committed. */
const messages = {
  project: here('apps/web/project.inlang'),
  outdir: here('apps/web/src/lib/paraglide'),
  strategy: ['baseLocale'] satisfies ['baseLocale'],
  emitReadme: false,
}

/** The compiler leaves timers of 30 s behind, for which a build and vitest would wait at their end: there it works in a process that is ended. */
function compileMessages(): void {
  const program = `import { compile } from '@inlang/paraglide-js'; await compile(${JSON.stringify(messages)}); process.exit()`
  execFileSync(process.execPath, ['--input-type=module', '--eval', program], { cwd: here('.'), stdio: ['ignore', 'ignore', 'inherit'] })
}

export default defineConfig(({ command }) => {
  // Only the development server watches the messages.
  const isWatching = command === 'serve' && process.env['VITEST'] === undefined
  if (!isWatching) compileMessages()
  return {
    root: here('apps/web'),
    plugins: [
      isWatching ? paraglideVitePlugin(messages) : [],
      svelte(),
      // Our own service worker; the plugin builds it and tells it the names of the built files.
      VitePWA({
        strategies: 'injectManifest',
        srcDir: 'src',
        filename: 'service-worker.ts',
        injectRegister: false,
        manifest: false,
        injectManifest: { globPatterns: ['**/*.{js,css,html,woff2,svg,png,webmanifest}'] },
      }),
    ],
    server: { proxy: { '/api': 'http://127.0.0.1:8080', '/ws': { target: 'http://127.0.0.1:8080', ws: true } } },
    // The manifest tells the size budgets which chunk is which (.size-limit.mjs).
    build: { outDir: here('apps/web/dist'), emptyOutDir: true, target: 'es2023', manifest: true, modulePreload: { polyfill: false } },
    test: {
      root: here('.'),
      include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'e2e/{helpers,interop,lab,programs}/**/*.test.ts'],
      exclude: [
        ...configDefaults.exclude,
        // Run apart: vitest.native.config.ts.
        '**/*.native.test.ts',
        // Those that wait for the bridge's own deadlines, or do something ten thousand times: npm test runs them.
        ...(process.env['SLOW_TESTS'] === undefined ? ['**/*.slow.test.ts'] : []),
      ],
      environment: 'node',
    },
  }
})
