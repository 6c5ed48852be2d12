/**
 * Our relay beside the others, in one run: rates for one core, the cost of a circuit, memory, latency, and what the targets ask.
 * Each relay has a process of its own; all meet the same two load processes, in turns, and the median of the rounds counts.
 * Next: measure.ts for what is measured, subjects/ for what runs.
 */
import { median, type Bench, type Row } from '../bench.ts'
import { startLoadProcess } from './load/load.ts'
import {
  LANES,
  measureBusy,
  measureIdle,
  measureRate,
  measureRoundTrips,
  measureSetUp,
  settle,
  type Load,
  type Rate,
  type Subject,
} from './measure.ts'
import { barePipe } from './subjects/bare-pipe.ts'
import { footbridge } from './subjects/footbridge.ts'
import { stock } from './subjects/stock.ts'
import type { RelaySubject, RunningRelay } from './subjects/subject.ts'
import { describeMachine } from './versions.ts'

const ROUNDS = 3
const RATE_MS = 1_500
const WARM_UP_MS = 1_000
/** For each lane and round. */
const SET_UPS = 15
const ROUND_TRIPS = 400
const IDLE = 200
/** For each lane. */
const BUSY = 8
const BUSY_MS = 1_500
const SIZES = { large: 64 * 1024, small: 200 } as const

/** All that can be compared, in the order of the table. */
const SUBJECTS: readonly RelaySubject[] = [footbridge, stock, barePipe]

interface Figures {
  readonly subject: RelaySubject
  readonly large: Rate[]
  readonly small: Rate[]
  readonly setUps: number[]
  readonly relayed: number[]
  readonly direct: number[]
  idle: number
  idleHeld: number
  busy: number
  busyHeld: number
}

export const relay: Bench = {
  title: `relay: ours, the stock one, the pipes; ${LANES} circuits at a time; median of ${ROUNDS} rounds`,
  prepare: () => Promise.resolve({}),
  async run(note) {
    note(describeMachine())
    const running: { figures: Figures; started: Subject }[] = []
    const relays: RunningRelay[] = []
    const load: Load = { receiver: startLoadProcess(), sender: startLoadProcess() }
    try {
      for (const subject of SUBJECTS) {
        const { name, version, missing } = subject
        if (missing !== undefined) {
          note(`LEFT OUT: ${name}: ${missing}`)
          continue
        }
        note(`${name}: ${version}`)
        const started = await subject.start()
        relays.push(started)
        const figures: Figures = {
          subject,
          large: [],
          small: [],
          setUps: [],
          relayed: [],
          direct: [],
          idle: Number.NaN,
          idleHeld: Number.NaN,
          busy: Number.NaN,
          busyHeld: Number.NaN,
        }
        running.push({ figures, started: await settle(started, load) })
      }
      for (const each of running) await warmUpAndWeigh(each.figures, each.started, load)
      for (let round = 1; round <= ROUNDS; round++)
        for (const { figures, started } of running) {
          figures.large.push(await measureRate(started, load, SIZES.large, RATE_MS))
          figures.small.push(await measureRate(started, load, SIZES.small, RATE_MS))
          figures.setUps.push(await measureSetUp(started, load, SET_UPS))
          const { relayed, direct } = await measureRoundTrips(started, load, ROUND_TRIPS)
          figures.relayed.push(...relayed)
          figures.direct.push(...direct)
          const [large, small] = [figures.large.at(-1), figures.small.at(-1)]
          note(
            `${figures.subject.name}, round ${round}: ${(perCpu(large) * SIZES.large * 1e-6).toFixed(0)} MB/s, ${perCpu(small).toFixed(0)} messages/s for one core`,
          )
        }
      note(describeMachine())
    } finally {
      await Promise.all([...Object.values(load), ...relays].map((each) => each.stop()))
    }
    const rows = running.flatMap(({ figures }) => toRows(figures))
    return [...rows, ...ratios(rows)]
  },
}

async function warmUpAndWeigh(figures: Figures, started: Subject, load: Load): Promise<void> {
  await measureSetUp(started, load, 4)
  for (const size of Object.values(SIZES)) await measureRate(started, load, size, WARM_UP_MS)
  const idle = await measureIdle(started.relay, load, IDLE)
  figures.idle = idle.rss
  figures.idleHeld = idle.held
  const busy = await measureBusy(started, load, BUSY, BUSY_MS)
  figures.busy = busy.rss
  figures.busyHeld = busy.held
  await load.receiver.unlisten(started.relay.entry, idle.names)
}

function perCpu(rate: Rate | undefined): number {
  return rate === undefined ? Number.NaN : rate.messages / rate.cpuSeconds
}

function perSecond({ messages, seconds }: Rate): number {
  return messages / seconds
}

function quantile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN
}

function toRows(figures: Figures): Row[] {
  const { subject, large, small, setUps, relayed, direct } = figures
  const megabytes = SIZES.large * 1e-6
  const added = (part: number): number => quantile(relayed, part) - quantile(direct, part)
  const rows: readonly (readonly [string, string, number])[] = [
    [METRICS.large, 'MB/s', median(large.map(perCpu)) * megabytes],
    ['64 KiB, wall clock', 'MB/s', median(large.map(perSecond)) * megabytes],
    [METRICS.small, 'messages/s', median(small.map(perCpu))],
    ['200 B, wall clock', 'messages/s', median(small.map(perSecond))],
    [METRICS.setUp, 'ms', median(setUps) * 1_000],
    [METRICS.idle, 'KB', figures.idle / 1_000],
    ['of it held by the program', 'KB', figures.idleHeld / 1_000],
    ['memory per busy circuit', 'KB', figures.busy / 1_000],
    ['of it held by the program', 'KB', figures.busyHeld / 1_000],
    ['200 B round trip added, p50', 'ms', added(0.5)],
    ['200 B round trip added, p99', 'ms', added(0.99)],
  ]
  return rows.map(([metric, unit, value]) => ({ bench: 'relay', subject: subject.name, metric, unit, value }))
}

const METRICS = {
  large: '64 KiB, one core',
  small: '200 B, one core',
  setUp: 'CPU per circuit set up',
  idle: 'memory per idle reservation',
} as const

/** Ours against the others, with what is asked of it. */
function ratios(rows: readonly Row[]): Row[] {
  const of = (subject: RelaySubject, metric: string): number =>
    rows.find((row) => row.subject === subject.name && row.metric === metric)?.value ?? Number.NaN
  const row = (subject: string, metric: string, value: number, unit = 'x'): Row => ({ bench: 'relay', subject, metric, unit, value })
  const { large, small, setUp } = METRICS
  return [
    row('footbridge / stock', `${large} (target 2.5)`, of(footbridge, large) / of(stock, large)),
    row('footbridge / stock', `${small} (target 2.5)`, of(footbridge, small) / of(stock, small)),
    row('stock / footbridge', `${setUp} (target 2.5)`, of(stock, setUp) / of(footbridge, setUp)),
    row('footbridge / bare pipe', `${large} (target 0.6)`, of(footbridge, large) / of(barePipe, large)),
    row('footbridge', `${METRICS.idle} (target at most 60)`, of(footbridge, METRICS.idle), 'KB'),
  ].filter(({ value }) => !Number.isNaN(value))
}
