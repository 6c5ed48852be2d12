/**
 * `npm run interop [-- --json] [--only go,bulk,…]`: foreign peers, built from source, against a bridge and a browser on it. Fills a table, peer by cell, and
 * ends with 1 when a cell is not as it has to be. README.md has the protocol between this program and the peers.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { nativeNode } from '../../scripts/newer-glibc.ts'
import { pinnedEnv, root } from '../../scripts/steps.ts'
import { ensureChromium } from '../helpers/chromium.ts'
import { inNamespace } from '../helpers/namespace.ts'
import { build, KINDS, type Kind, type Missing, type Program } from './builds.ts'
import { Cannot, type Cell } from './cell.ts'
import { CELLS } from './cells.ts'
import { createReport, type Result } from './report.ts'
import { openStage, type Stage } from './scene.ts'

const { values } = parseArgs({
  options: {
    /** Names of peers and of cells, comma-separated; of the kind that is not named, all. */
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    /** For npm test: a file for the counts. */
    report: { type: 'string' },
    /** What the run outside its network hands to the one inside. */
    inside: { type: 'string' },
  },
})
/** A cell whose peer hangs. Above each command's own patience. */
const CELL_MS = 120_000

const report = createReport(values.json)
const [kinds, cells] = chosen(values.only?.split(',') ?? [])
if (values.inside === undefined) outside()
else await inside(JSON.parse(values.inside) as (Program | Missing)[])

/** What needs the machine's own network is made before it is gone. */
function outside(): void {
  const env = pinnedEnv({ CHROMIUM_PATH: ensureChromium() })
  nativeNode()
  const made = kinds.map((kind) => build(kind, (line) => report.note(line)))
  const [program = '', ...args] = inNamespace(['node', 'e2e/interop/run.ts', ...process.argv.slice(2), '--inside', JSON.stringify(made)])
  process.exitCode = spawnSync(program, args, { cwd: root, stdio: 'inherit', env }).status ?? 1
}

async function inside(made: readonly (Program | Missing)[]): Promise<void> {
  const results: Result[] = []
  const told = (result: Result): void => {
    results.push(result)
    report.result(result)
  }
  report.peers(Object.fromEntries(made.flatMap((each) => ('version' in each ? [[each.kind, each.version]] : []))))
  const stage = await openStage()
  for (const each of made) {
    if ('missing' in each) {
      report.loud(`NOT RUN: ${each.missing}; nothing is shown about ${each.kind}-libp2p`)
      for (const { id: cell, title } of cells) told({ peer: each.kind, cell, title, state: 'not run', words: each.missing })
    } else for (const cell of cells) told(await ask(stage, each, cell))
  }
  await stage.end()
  report.end(results)
  const count = (state: Result['state']): number => results.filter((result) => result.state === state).length
  const lacks = [
    ...made.flatMap((each) => ('missing' in each ? [`NOT RUN: ${each.missing}`] : [])),
    ...results.flatMap(({ state, peer, title, words }) => (state === 'cannot' ? [`CANNOT: ${peer}: ${title}: ${words}`] : [])),
  ]
  if (values.report !== undefined) {
    const counts = { passed: count('passed'), failed: count('failed') }
    writeFileSync(values.report, JSON.stringify({ ...counts, ...(lacks.length > 0 && { skipped: lacks.join('; ') }) }))
  }
  process.exit(count('failed') > 0 ? 1 : 0)
}

async function ask(stage: Stage, program: Program, cell: Cell): Promise<Result> {
  const { kind: peer } = program
  const { id, title } = cell
  const reason = cell.none?.[peer]
  if (reason !== undefined) return { peer, cell: id, title, state: 'none', words: reason }
  const scene = stage.scene(program)
  const startedAt = performance.now()
  const ms = (): number => Math.round(performance.now() - startedAt)
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`nothing in ${CELL_MS / 1000} s`)), CELL_MS)
  try {
    const words = await Promise.race([cell.run(scene), late])
    return { peer, cell: id, title, state: 'passed', words, ms: ms() }
  } catch (error) {
    if (error instanceof Cannot) return { peer, cell: id, title, state: 'cannot', words: error.message, ms: ms() }
    return { peer, cell: id, title, state: 'failed', words: error instanceof Error ? error.message : String(error), ms: ms() }
  } finally {
    clearTimeout(timer)
    await scene.clear()
  }
}

/** What cannot be meant ends the process with a sentence. */
function chosen(names: readonly string[]): [readonly Kind[], readonly Cell[]] {
  const kinds = KINDS.filter((kind) => names.includes(kind))
  const cells = CELLS.filter(({ id }) => names.includes(id))
  const unknown = names.filter((name) => !kinds.includes(name as Kind) && !cells.some(({ id }) => id === name))
  if (unknown.length > 0) {
    process.stderr.write(`--only ${unknown.join(',')}: there is ${[...KINDS, ...CELLS.map(({ id }) => id)].join(', ')}\n`)
    process.exit(2)
  }
  return [kinds.length > 0 ? kinds : KINDS, cells.length > 0 ? cells : CELLS]
}
