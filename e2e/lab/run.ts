/**
 * `npm run lab`: networks of every kind at once, in network namespaces, with real browsers in them and a bridge beside them; then each kind talks with each,
 * and is cut off and comes back. Prints a table; ends with 1 when a cell is not as it has to be. Needs the right to make namespaces, and says so where there
 * is none.
 */
import { parseArgs } from 'node:util'
import { writeFileSync } from 'node:fs'
import { prepareBrowser } from '../bench/prepare-browser.ts'
import { build } from '../interop/builds.ts'
import { startLabBridge } from './bridge.ts'
import { chooseNetworks, type Network } from './networks.ts'
import { namespacesOf } from './layout.ts'
import { visitHomes } from './homes.ts'
import { punch, PUNCHERS } from './natives.ts'
import { gatherPeople } from './people.ts'
import { createReport } from './report.ts'
import { isAlive, runsHere, sweep } from './sweep.ts'
import { talk } from './talks.ts'
import { ensureTools } from './tools.ts'
import { openWorld, type World } from './world.ts'
import { whyNotHere } from './where.ts'

const { values } = parseArgs({
  options: {
    /** Names of networks, comma-separated. */
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
    /** Per cent of the packets that every line loses. */
    loss: { type: 'string', default: '0' },
    /** Milliseconds that every line takes, one way. */
    delay: { type: 'string' },
    /** Networks that are cut off at a time. One at a time disturbs no other, and takes longer. */
    'cut-together': { type: 'string', default: '2' },
    /** Stays up afterwards, and says how to look around. */
    keep: { type: 'boolean', default: false },
    /** Only removes what killed runs have left. */
    down: { type: 'boolean', default: false },
    /** For npm test: a file for the counts. */
    report: { type: 'string' },
  },
})
const report = createReport(values.json)
const count = (counts: object): void => void (values.report !== undefined && writeFileSync(values.report, JSON.stringify(counts)))

const reason = whyNotHere()
if (reason !== undefined) {
  report.skipped(`SKIPPED: ${reason}; nothing of the NAT lab was tried`)
  count({ passed: 0, failed: 0, skipped: `SKIPPED: ${reason}` })
} else {
  for (const run of runsHere()) if (!isAlive(run) && run !== process.pid) sweep(run)
  if (!values.down) await runLab(described())
}

/** @throws never: what cannot be meant ends the process with a sentence. */
function described(): readonly Network[] {
  const number = (name: 'loss' | 'delay', text: string, most: number): number => {
    const value = Number(text)
    if (!/^\d+(\.\d+)?$/.test(text) || value > most) refuse(`--${name} ${text} must be a number from 0 to ${most}`)
    return value
  }
  try {
    return chooseNetworks(values.only?.split(',')).map((network) => ({
      ...network,
      lossPercent: number('loss', values.loss, 50),
      delayMs: values.delay === undefined ? network.delayMs : number('delay', values.delay, 2_000),
    }))
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

function refuse(sentence: string): never {
  process.stderr.write(`${sentence}\n`)
  process.exit(2)
}

async function runLab(networks: readonly Network[]): Promise<void> {
  // Whatever ends this process takes the namespaces and everything in them along.
  process.once('exit', () => sweep(process.pid))
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))
  ensureTools()
  await prepareBrowser()
  const made = PUNCHERS.map((kind) => build(kind, (line) => report.note(line)))
  const lacks = made.flatMap((each) =>
    'missing' in each ? [`NOT RUN: ${each.missing}; nothing is shown about ${each.kind} in the lab`] : [],
  )
  for (const sentence of lacks) report.skipped(sentence)
  const world = await openWorld(networks, process.pid)
  const bridge = await startLabBridge(world)
  report.note('the networks stand, and the bridge')
  const wrong = await world.probe()
  for (const sentence of wrong) report.wrong(sentence)
  if (wrong.length > 0) return finish(world, 0, wrong.length, lacks)
  report.note('every network is what it is said to be')
  const programs = made.filter((each) => 'command' in each)
  const natives = await punch(world, bridge, programs, (line) => report.note(line))
  const goes = programs.find(({ kind }) => kind === 'go')
  const homes = goes === undefined ? [] : await visitHomes(world, goes)
  report.note('bridges at home were visited')
  const people = await gatherPeople(world, bridge, (line) => report.note(line))
  const cells = await talk(world, people, Number(values['cut-together']), (line) => report.note(line))
  report.cells(cells)
  report.natives(natives)
  report.homes(homes)
  const all = [...cells, ...natives, ...homes]
  const failed = all.filter((cell) => cell.wrong.length > 0).length
  await finish(world, all.length - failed, failed, lacks)
}

async function finish(world: World, passed: number, failed: number, lacks: readonly string[]): Promise<void> {
  report.end(failed)
  count({ passed, failed, ...(lacks.length > 0 && { skipped: lacks.join('; ') }) })
  if (values.keep) {
    report.note(`still up: ip netns exec <name> sh, with one of\n${namespacesOf(world.layout).join('\n')}`)
    report.note(`files in ${world.folder}; Ctrl+C ends it`)
    await new Promise(() => setInterval(() => {}, 60_000))
  }
  // The browsers end with their namespaces.
  process.exit(failed > 0 ? 1 : 0)
}
