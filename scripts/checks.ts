/**
 * The static checks and the unit tests, as steps. `npm run check` runs these; `npm test` runs them first.
 */
import type { Count, Step } from './steps.ts'

/** Comes before the checks: several read the app's messages as functions, which are made from messages/en.json and not committed. */
export const messages: Step = {
  name: 'messages compile',
  command: [
    'paraglide-js',
    'compile',
    '--project=apps/web/project.inlang',
    '--outdir=apps/web/src/lib/paraglide',
    '--strategy=baseLocale',
    '--no-emit-readme',
    '--silent',
  ],
}

/** Longest first, so that two at a time end together. */
export const checks: readonly Step[] = [
  {
    name: 'unit tests',
    command: ['vitest', 'run', '--reporter=default', '--reporter=json', '--outputFile.json={report}'],
    count: countVitest,
  },
  { name: 'types: web app', command: ['svelte-check', '--workspace', 'apps/web', '--tsconfig', './tsconfig.json', '--fail-on-warnings'] },
  { name: 'types: bridge', command: ['tsc', '-p', 'apps/bridge'] },
  { name: 'types: client', command: ['tsc', '-p', 'packages/client'] },
  { name: 'types: shared', command: ['tsc', '-p', 'packages/shared'] },
  { name: 'types: tests and tools', command: ['tsc', '-p', 'tsconfig.tests.json'] },
  {
    name: 'import rules',
    command: ['depcruise', '--config', '.dependency-cruiser.mjs', '--output-type', 'err-long', 'apps', 'packages', 'e2e', 'scripts'],
  },
  { name: 'nothing unused', command: ['knip', '--no-progress'] },
  { name: 'lint: svelte', command: ['eslint', '--no-error-on-unmatched-pattern', 'apps/web/src'] },
  { name: 'lint: typescript', command: ['oxlint', '--quiet'] },
  { name: 'format', command: ['oxfmt', '--check', '.'] },
  { name: 'house rules', command: ['node', 'scripts/house-rules.ts'] },
  // Which npm runs is the machine's affair: engines says what is needed.
  { name: 'manifests', command: ['sherif', '--ignore-rule', 'root-package-manager-field'] },
]

export function countVitest(report: string): Count {
  const result = JSON.parse(report) as { numPassedTests: number; numFailedTests: number; numPendingTests: number; numTodoTests: number }
  const skipped = result.numPendingTests + result.numTodoTests
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + skipped,
    notes: skipped === 0 ? [] : [`${skipped} skipped tests count as failed: a test that never runs shows nothing`],
  }
}
