/**
 * Runs commands as named steps, prints one line each and the output of those that fail, and counts.
 * Not here: which steps there are (check.ts, test.ts).
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

export interface Count {
  readonly passed: number
  readonly failed: number
  /** Sentences worth reading even when everything passed. */
  readonly notes?: readonly string[]
}

export interface Step {
  readonly name: string
  /** Program, found in node_modules/.bin first, and its arguments. `{report}`, here or in `env`, stands for a file that the step may write. */
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Let the output through while it runs. */
  readonly live?: boolean
  /** Reads the report file; without it a step counts as one check. */
  readonly count?: (report: string) => Count
}

interface Result extends Count {
  readonly output: string
}

/** Every child gets the pinned Node 24 first on its PATH, whichever Node started us. */
export function pinnedEnv(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return { ...process.env, PATH: join(root, 'node_modules/.bin') + delimiter + (process.env['PATH'] ?? ''), FORCE_COLOR: '0', ...extra }
}

async function run(step: Step): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'footbridge-step-'))
  const report = join(folder, 'report.json')
  const [program = '', ...args] = step.command.map((part) => part.replace('{report}', report))
  const env = Object.fromEntries(Object.entries(step.env ?? {}).map(([name, value]) => [name, value.replace('{report}', report)]))
  let output = ''
  const code = await new Promise<number>((resolve) => {
    const child = spawn(program, args, { cwd: root, env: pinnedEnv(env), stdio: step.live === true ? 'inherit' : 'pipe' })
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('error', (error) => {
      output += String(error)
      resolve(127)
    })
    child.once('close', (status) => resolve(status ?? 1))
  })
  try {
    const { passed, failed, notes = [] } = step.count?.(readFileSync(report, 'utf8')) ?? { passed: code === 0 ? 1 : 0, failed: 0 }
    // A tool that fails without naming a failed test (a crash, a file that does not load) has still failed.
    return { passed, failed: code !== 0 && failed === 0 ? 1 : failed, notes, output }
  } catch (error) {
    return { passed: 0, failed: 1, output: `${output}\nno readable report: ${String(error)}` }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/**
 * Runs all steps, at most `concurrency` at a time, and goes on after failures.
 * @returns the sum over all steps.
 */
export async function runSteps(steps: readonly Step[], concurrency = availableParallelism()): Promise<Count> {
  const queue = [...steps]
  const sum = { passed: 0, failed: 0 }
  const worker = async (): Promise<void> => {
    for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
      const startedAt = performance.now()
      const result = await run(step)
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
      const counts = step.count === undefined ? '' : ` (${result.passed} passed, ${result.failed} failed)`
      console.log(`${result.failed === 0 ? 'ok  ' : 'FAIL'}  ${step.name}${counts}  ${seconds} s`)
      for (const note of result.notes ?? []) console.log(`      ${note}`)
      if (result.failed > 0) console.log(result.output.trimEnd().replaceAll(/^/gm, '      '))
      sum.passed += result.passed
      sum.failed += result.failed
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, concurrency) }, worker))
  return sum
}

/** Prints the closing line and sets the exit code. */
export function report(total: Count): void {
  console.log(`total: ${total.passed} passed, ${total.failed} failed`)
  if (total.failed > 0) process.exitCode = 1
}
