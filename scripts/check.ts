/**
 * `npm run check`: everything that needs no browser, in about a minute.
 */
import { checks, messages } from './checks.ts'
import { report, runSteps } from './steps.ts'

const [compiled, checked] = [await runSteps([messages]), await runSteps(checks)]
report({ passed: compiled.passed + checked.passed, failed: compiled.failed + checked.failed })
