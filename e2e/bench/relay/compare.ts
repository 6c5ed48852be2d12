/**
 * The relays side by side: rates for one core, the cost of a circuit, memory, latency, and what the targets ask of ours.
 * Memory is weighed in a process that has done nothing else; then every relay has a process, all meet the same two load processes in turns, and the median
 * of the rounds counts. Next: measure.ts for what is measured.
 */
import { median, type Row } from '../bench.ts'
import { startLoadProcess } from './load/load.ts'
import {
  measureBusy,
  measureIdle,
  measureRate,
  measureRoundTrips,
  measureSetUp,
  settle,
  type Load,
  type MemoryOf,
  type Rate,
  type Subject,
} from './measure.ts'
import type { RelaySubject } from './subjects/subject.ts'
import { describeMachine } from './versions.ts'

const ROUNDS = 3
const RATE_MS = 1_500
const WARM_UP_MS = 1_000
/** For each lane and round. */
const SET_UPS = 15
const ROUND_TRIPS = 400
/** Before the others are counted: code and pools that come with the first. */
const IDLE_BEFORE = 40
const IDLE_STEPS = 7
const IDLE = 40
/** For each lane. */
const BUSY = 8
const BUSY_MS = 1_500
const SIZES = { large: 64 * 1024, small: 200 } as const
const MEGABYTES = SIZES.large * 1e-6

interface Figures {
  readonly subject: RelaySubject
  readonly idle: MemoryOf
  readonly busy: MemoryOf
  readonly large: Rate[]
  readonly small: Rate[]
  readonly setUps: number[]
  readonly relayed: number[]
  readonly direct: number[]
}

export async function compare(subjects: readonly RelaySubject[], note: (line: string) => void): Promise<Row[]> {
  const load: Load = { receiver: startLoadProcess(), sender: startLoadProcess() }
  const running: { figures: Figures; started: Subject }[] = []
  try {
    const weights: Pick<Figures, 'idle' | 'busy'>[] = []
    for (const subject of subjects) weights.push(await weigh(subject, load))
    for (const [i, subject] of subjects.entries()) {
      const { idle, busy } = weights[i]!
      const figures: Figures = { subject, idle, busy, large: [], small: [], setUps: [], relayed: [], direct: [] }
      running.push({ figures, started: await settle(await subject.start(), load) })
    }
    for (const { started } of running) {
      await measureSetUp(started, load, 4)
      for (const size of Object.values(SIZES)) await measureRate(started, load, size, WARM_UP_MS)
    }
    for (let round = 1; round <= ROUNDS; round++)
      for (const { figures, started } of running)
        note(`${figures.subject.name}, round ${round}: ${await measureOnce(figures, started, load)}`)
    note(describeMachine())
  } finally {
    await Promise.all([...Object.values(running).map(({ started }) => started.relay.stop()), load.receiver.stop(), load.sender.stop()])
  }
  const rows = running.flatMap(({ figures }) => toRows(figures))
  return [...rows, ...ratios(rows)]
}

/** Memory for each peer that waits and for each circuit that works, in a relay of its own. */
async function weigh(subject: RelaySubject, load: Load): Promise<Pick<Figures, 'idle' | 'busy'>> {
  const relay = await subject.start()
  try {
    const started = await settle(relay, load)
    await measureSetUp(started, load, 4)
    const before = await load.receiver.listen(relay.entry, IDLE_BEFORE)
    const idle = await measureIdle(relay, load, IDLE_STEPS, IDLE)
    const busy = await measureBusy(started, load, BUSY, BUSY_MS)
    await load.receiver.unlisten(relay.entry, [...before, ...idle.names, ...started.names])
    return { idle, busy }
  } finally {
    await relay.stop()
  }
}

async function measureOnce(figures: Figures, started: Subject, load: Load): Promise<string> {
  const large = await measureRate(started, load, SIZES.large, RATE_MS)
  const small = await measureRate(started, load, SIZES.small, RATE_MS)
  const setUp = await measureSetUp(started, load, SET_UPS)
  const { relayed, direct } = await measureRoundTrips(started, load, ROUND_TRIPS)
  figures.large.push(large)
  figures.small.push(small)
  figures.setUps.push(setUp)
  figures.relayed.push(...relayed)
  figures.direct.push(...direct)
  return `${(perCpu(large) * MEGABYTES).toFixed(0)} MB/s and ${perCpu(small).toFixed(0)} messages/s for one core, ${(setUp * 1_000).toFixed(1)} ms a circuit`
}

function perCpu(rate: Rate): number {
  return rate.messages / rate.cpuSeconds
}

function perSecond({ messages, seconds }: Rate): number {
  return messages / seconds
}

function quantile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * part)] ?? Number.NaN
}

const METRICS = {
  large: '64 KiB, one core',
  small: '200 B, one core',
  setUp: 'CPU per circuit set up',
  idle: 'memory per idle reservation',
} as const

function toRows({ subject, idle, busy, large, small, setUps, relayed, direct }: Figures): Row[] {
  const added = (part: number): number => quantile(relayed, part) - quantile(direct, part)
  const rows: readonly (readonly [string, string, number])[] = [
    [METRICS.large, 'MB/s', median(large.map(perCpu)) * MEGABYTES],
    ['64 KiB, wall clock', 'MB/s', median(large.map(perSecond)) * MEGABYTES],
    [METRICS.small, 'messages/s', median(small.map(perCpu))],
    ['200 B, wall clock', 'messages/s', median(small.map(perSecond))],
    [METRICS.setUp, 'ms', median(setUps) * 1_000],
    [METRICS.idle, 'KB', idle.rss / 1_000],
    ['idle, held by the program', 'KB', idle.held / 1_000],
    ['memory per busy circuit', 'KB', busy.rss / 1_000],
    ['busy, held by the program', 'KB', busy.held / 1_000],
    ['200 B round trip added, p50', 'ms', added(0.5)],
    ['200 B round trip added, p99', 'ms', added(0.99)],
  ]
  return rows.map(([metric, unit, value]) => ({ bench: 'relay', subject: subject.name, metric, unit, value }))
}

/** Ours against the others, with what is asked of it. */
function ratios(rows: readonly Row[]): Row[] {
  const [ours, stock, pipe] = ['footbridge', 'stock js-libp2p', 'bare ws pipe'] as const
  const of = (subject: string, metric: string): number =>
    rows.find((row) => row.subject === subject && row.metric === metric)?.value ?? Number.NaN
  const row = (subject: string, metric: string, value: number, unit = 'x'): Row => ({ bench: 'relay', subject, metric, unit, value })
  const { large, small, setUp, idle } = METRICS
  return [
    row('footbridge / stock', `${large} (>= 2.5)`, of(ours, large) / of(stock, large)),
    row('footbridge / stock', `${small} (>= 2.5)`, of(ours, small) / of(stock, small)),
    row('stock / footbridge', `${setUp} (>= 2.5)`, of(stock, setUp) / of(ours, setUp)),
    row('footbridge / bare pipe', `${large} (>= 0.6)`, of(ours, large) / of(pipe, large)),
    row('footbridge', `${idle} (<= 60)`, of(ours, idle), 'KB'),
  ].filter(({ value }) => !Number.isNaN(value))
}
