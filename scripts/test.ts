/**
 * `npm test`: everything, from a fresh clone. Static checks, unit tests, the web app's build and its size, then the journeys in real
 * browsers of three engines against a real bridge. Ends in one line with the sum; anything that failed, or never ran, makes the exit code 1.
 */
import { checks, countVitest } from './checks.ts'
import { ENGINES, isEngine, type Engine } from '../e2e/engines/engines.ts'
import { ensureEngines } from '../e2e/engines/ensure.ts'
import { leftOut } from '../e2e/engines/left-out.ts'
import { inNamespace } from '../e2e/helpers/namespace.ts'
import { ensureProxies } from '../e2e/helpers/proxies.ts'
import { nativeNode } from './newer-glibc.ts'
import { report, runSteps, type Count, type Step } from './steps.ts'

// What the journeys need from outside is fetched before they are in a network of their own.
const found = ensureEngines(ENGINES)
ensureProxies()
nativeNode()
const build: Step = { name: 'web app builds', command: ['vite', 'build', '--logLevel', 'warn'] }
const size: Step = { name: 'size budgets', command: ['size-limit'] }
const slow: Step = {
  name: 'slow tests and 200 000 bad messages',
  command: ['vitest', 'run', '.slow.', 'relay/fuzz.test'],
  env: { SLOW_TESTS: '1', FUZZ_INPUTS: '200000', CHURN_CLIENTS: '10000' },
}
const webTransport: Step = {
  name: 'WebTransport',
  command: ['node', 'scripts/webtransport-tests.ts', '--reporter=default', '--reporter=json', '--outputFile.json={report}'],
  env: found,
  count: countVitest,
}
const protocolsFuzz: Step = {
  name: 'every protocol handler, 100 000 bad messages each, and 10 000 over real connections',
  command: [
    'vitest',
    'run',
    '--maxWorkers=2',
    'bridge/src/node/fuzz',
    'client/src/node/fuzz',
    'protocols/src/uc-',
    'protocols/src/rendezvous',
  ],
  env: { FUZZ_INPUTS: '100000' },
}
const linksFuzz: Step = { name: 'links, 50 000 bad inputs', command: ['vitest', 'run', 'links/src/fuzz'], env: { FUZZ_INPUTS: '50000' } }
const journeys = (project: Engine | 'pairs', name: string): Step => ({
  name: `journeys ${name}`,
  command: inNamespace(['playwright', 'test', '--config', 'e2e/playwright.config.ts', `--project=${project}`, '--reporter=list,json']),
  env: { ...found, PLAYWRIGHT_JSON_OUTPUT_NAME: '{report}' },
  live: true,
  count: (json) => countPlaywright(json, project),
})
const inBrowsers: readonly Step[] = [
  journeys('chromium', 'in Chromium'),
  journeys('firefox', 'in Firefox'),
  journeys('webkit', 'in WebKit'),
  journeys('pairs', 'between engines'),
]

const lab: Step = {
  name: 'NAT lab',
  command: ['node', 'e2e/lab/run.ts', '--report', '{report}'],
  env: found,
  live: true,
  count: countCells,
}

const foreignPeers: Step = {
  name: 'foreign peers',
  command: ['node', 'e2e/interop/run.ts', '--report', '{report}'],
  env: found,
  live: true,
  count: countCells,
}

const total = { passed: 0, failed: 0 }
for (const [steps, concurrency] of [
  [[build], 1],
  [checks, undefined],
  [[size, slow, linksFuzz, protocolsFuzz, webTransport, ...inBrowsers, lab, foreignPeers], 1],
] as const) {
  const part = await runSteps(steps, concurrency)
  total.passed += part.passed
  total.failed += part.failed
}
report(total)

function countPlaywright(json: string, project: Engine | 'pairs'): Count {
  const { stats, errors } = JSON.parse(json) as {
    stats: { expected: number; unexpected: number; flaky: number; skipped: number }
    errors: unknown[]
  }
  return {
    passed: stats.expected,
    failed: stats.unexpected + stats.flaky + stats.skipped + errors.length,
    notes: [
      ...(stats.skipped === 0 ? [] : [`${stats.skipped} tests did not run and count as failed`]),
      ...(isEngine(project) ? leftOut(project).map((line) => `left out: ${line}`) : []),
    ],
  }
}

/** A cell each; those that could not be asked here are none, and that is said. */
function countCells(json: string): Count {
  const { passed, failed, skipped } = JSON.parse(json) as { passed: number; failed: number; skipped?: string }
  return { passed, failed, notes: skipped === undefined ? [] : [skipped] }
}
