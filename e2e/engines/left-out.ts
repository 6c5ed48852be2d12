/**
 * What the run of an engine leaves out, and why: read from the list of all journeys, so that nothing is left out in silence.
 */
import { spawnSync } from 'node:child_process'
import { pinnedEnv, root } from '../../scripts/steps.ts'
import type { Engine } from './engines.ts'
import { annotationOf, filesNotIn } from './not-in.ts'

interface Suite {
  readonly title: string
  readonly suites?: readonly Suite[]
  readonly specs: readonly {
    readonly title: string
    readonly tests: readonly { readonly annotations: readonly { readonly type: string; readonly description?: string }[] }[]
  }[]
}

/** One line for each journey among those that `args` choose. */
export function leftOut(engine: Engine, args: readonly string[] = []): string[] {
  if (engine === 'chromium') return []
  const command = ['test', '--config', 'e2e/playwright.config.ts', '--project=chromium', '--list', '--reporter', 'json', ...args]
  const { stdout } = spawnSync('playwright', command, { cwd: root, encoding: 'utf8', env: pinnedEnv(), maxBuffer: 64 * 2 ** 20 })
  const { suites = [] } = JSON.parse(stdout) as { suites?: readonly Suite[] }
  return suites.flatMap((suite) => {
    const reason = filesNotIn(engine)[suite.title]
    return reason === undefined ? linesOf(suite, engine) : [`${suite.title}: ${reason}`]
  })
}

function linesOf(suite: Suite, engine: Engine): string[] {
  const own = suite.specs.flatMap(({ title, tests }) =>
    tests.flatMap(({ annotations }) =>
      annotations
        .filter(({ type }) => type === annotationOf(engine))
        .map(({ description }) => `${suite.title} › ${title}: ${description ?? ''}`),
    ),
  )
  return [...own, ...(suite.suites ?? []).flatMap((inner) => linesOf(inner, engine))]
}
