/**
 * House rules that no linter knows: a header on every module, one file that reads the process, tests that never sleep.
 * Looks at text, not at syntax: good enough to catch a slip, simple enough to read.
 */
import { globSync, readFileSync } from 'node:fs'
import { root } from './steps.ts'

interface Rule {
  readonly reason: string
  readonly applies: (path: string) => boolean
  readonly broken: (text: string) => boolean
}

const isTest = (path: string): boolean => path.endsWith('.test.ts') || path.endsWith('.spec.ts')

const rules: readonly Rule[] = [
  {
    reason: 'opens without a header comment: say what the module is, what it is not, where to go next',
    applies: (path) => !path.endsWith('.test.ts'),
    broken: (text) => !/^(#![^\n]*\n)?\s*(\/\*\*?[\s*]*[A-Za-z0-9`'"]|\/\/ \S|<!--\s*[A-Za-z`@])/.test(text),
  },
  {
    reason: 'touches `process`: only main.ts reads argv, env and signals, so that configuration can be reviewed in one place',
    applies: (path) =>
      path.startsWith('apps/bridge/src/') && path !== 'apps/bridge/src/main.ts' && !isTest(path) && !/\/test-[^/]+$/.test(path),
    broken: (text) => /(^|[^.\w'"`-])process\s*[.[]/m.test(withoutComments(text)) || /from 'node:process'/.test(text),
  },
  {
    reason: 'waits for time to pass: wait for a fact instead',
    applies: (path) => isTest(path),
    broken: (text) => /waitForTimeout\(|await (sleep|delay|setTimeout)\(|setTimeout\(resolve/.test(withoutComments(text)),
  },
  {
    reason: 'awaits `onDrain()`, which works once per stream and then never waits again: listen for the drain event (docs/pitfalls.md)',
    applies: () => true,
    broken: (text) => /await [\w.]+\.onDrain\(/.test(withoutComments(text)),
  },
  {
    reason: 'skips or singles out a test: a test that never runs shows nothing',
    applies: (path) => isTest(path),
    broken: (text) => /\b(test|it|describe)(\.\w+)*\.(only|skip|fixme)\b/.test(withoutComments(text)),
  },
]

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '')
}

const files = globSync('{apps,packages,e2e,scripts}/**/*.{ts,mjs,svelte}', {
  cwd: root,
  exclude: (path) => /(^|\/)(node_modules|dist|paraglide|test-results|playwright-report)$/.test(path),
}).filter((path) => !path.endsWith('.d.ts'))

const broken = files.flatMap((path) => {
  const text = readFileSync(`${root}/${path}`, 'utf8')
  return rules.filter((rule) => rule.applies(path) && rule.broken(text)).map((rule) => `${path} ${rule.reason}`)
})

for (const line of broken) console.error(line)
console.log(`${files.length} files, ${broken.length} broken rules`)
if (broken.length > 0) process.exitCode = 1
