/**
 * Journeys that are not walked in every engine say so where they are written, with the reason, and whole files of them here; the run of an engine leaves
 * them out, and `npm run e2e` and `npm test` print them (left-out.ts).
 */
import type { TestDetails } from '@playwright/test'
import { ENGINES, type Engine } from './engines.ts'

/** Files whose journeys are for Chromium alone. */
const CHROMIUM_ONLY: Readonly<Record<string, string>> = {
  '01-start.spec.ts': 'no browser takes part',
  '08-look.spec.ts': 'colour schemes, reduced motion and the sizes of a phone are emulated by Chromium’s own tools',
  '09-one-person-many-places.spec.ts': 'not of the first crossing; in Chromium it runs whole',
  '10-never-lost.spec.ts': 'freezes and measures one browser’s processes',
  '10-soak.spec.ts': 'no browser takes part',
  '10-tunnel.spec.ts': 'a bench page that is loaded by Chromium’s tools',
}

/** The files that the run of `engine` leaves out, each with its reason. */
export function filesNotIn(engine: Engine): Readonly<Record<string, string>> {
  return engine === 'chromium' ? {} : CHROMIUM_ONLY
}

/** For `test(title, notIn({ webkit: 'why' }), body)`. */
export function notIn(reasons: Partial<Record<Engine, string>>): TestDetails {
  const left = ENGINES.flatMap((engine) => (reasons[engine] === undefined ? [] : [{ engine, reason: reasons[engine] }]))
  return {
    tag: left.map(({ engine }) => tagOf(engine)),
    annotation: left.map(({ engine, reason }) => ({ type: annotationOf(engine), description: reason })),
  }
}

/** For journeys in which no browser takes part: once is enough. */
export const IN_ONE_RUN = { firefox: 'no browser takes part', webkit: 'no browser takes part' } as const

export function tagOf(engine: Engine): string {
  return `@not-in-${engine}`
}

export function annotationOf(engine: Engine): string {
  return `not in ${engine}`
}
