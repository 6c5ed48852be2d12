/**
 * `npm run check`: everything that needs no browser, in about a minute.
 */
import { checks } from './checks.ts'
import { report, runSteps } from './steps.ts'

report(await runSteps(checks))
