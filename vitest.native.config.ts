/**
 * The tests that need the native WebTransport module. Started by scripts/webtransport-tests.ts, which finds a C library that is new enough for it.
 */
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  // js-libp2p's compliance suite asks for its build system, of which it needs an `expect`.
  resolve: { alias: { 'aegir/chai': fileURLToPath(new URL('packages/listeners/src/webtransport/test-aegir-chai.ts', import.meta.url)) } },
  test: {
    server: { deps: { inline: ['@libp2p/interface-compliance-tests'] } },
    root: fileURLToPath(new URL('.', import.meta.url)),
    include: ['packages/*/src/**/*.native.test.ts', 'apps/*/src/**/*.native.test.ts'],
    environment: 'node',
    // A process of its own would be started without the newer C library. One thread for all files: node-datachannel, which a bridge loads, is good for one in a process.
    pool: 'threads',
    isolate: false,
    // One after the other: each fills both cores.
    fileParallelism: false,
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
