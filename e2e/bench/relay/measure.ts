/**
 * What is measured on one running relay, each a function of its own: the load goes on, the relay's process is read before and after.
 * Rates are for one second of the relay's processor time, so that slow clients on the same machine do not count; payload is counted, not what the wire
 * makes of it. Not here: in which order and how often (relay.ts).
 */
import { median } from '../bench.ts'
import type { LoadProcess } from './load/load.ts'
import type { Kind } from './load/driver.ts'
import { cpuSeconds } from './process-meter.ts'
import type { RunningRelay } from './subjects/subject.ts'

/** Circuits at a time, each between two clients with connections of their own. */
export const LANES = 4
const ROUND_TRIP_BYTES = 200

export interface Load {
  readonly receiver: LoadProcess
  readonly sender: LoadProcess
}

/** A relay with clients waiting at it. */
export interface Subject {
  readonly relay: RunningRelay
  /** Peers that wait: one for each lane. */
  readonly names: readonly string[]
  /** Where the receiver is reached without the relay. */
  readonly direct: number
}

export interface Rate {
  readonly messages: number
  readonly cpuSeconds: number
  readonly seconds: number
}

/** Makes the peers that the other functions need. */
export async function settle(relay: RunningRelay, { receiver, sender }: Load): Promise<Subject> {
  const { protocol } = relay.entry
  const names = await receiver.listen(relay.entry, LANES)
  return { relay, names, direct: await sender.openDirect(protocol, await receiver.listenDirect(protocol)) }
}

/** Sends for `ms` on LANES new circuits and waits until everything has arrived. Their set-up and end are not counted. */
export async function measureRate(subject: Subject, load: Load, size: number, ms: number): Promise<Rate> {
  const { relay } = subject
  return await withCircuits(subject, load, subject.names, 'sink', async (lines) => {
    const before = await load.receiver.received()
    const [startedAt, cpu] = [performance.now(), cpuSeconds(relay.pid)]
    const messages = await load.sender.pump(lines, size, ms)
    await load.receiver.receivedAtLeast(before + messages * size)
    return { messages, cpuSeconds: cpuSeconds(relay.pid) - cpu, seconds: (performance.now() - startedAt) / 1_000 }
  })
}

/** Circuits made and ended, LANES at a time. @returns seconds of the relay's processor time for each. */
export async function measureSetUp({ relay, names }: Subject, { receiver, sender }: Load, each: number): Promise<number> {
  const dialled = Array.from({ length: each * LANES }, (_, i) => names[i % LANES] ?? '')
  const cpu = cpuSeconds(relay.pid)
  const targets = await receiver.offer(relay.entry, dialled, 'sink')
  await sender.close(await sender.open(relay.entry, targets, LANES, 'sink'))
  return (cpuSeconds(relay.pid) - cpu) / dialled.length
}

/** Round trips of 200 B with and without the relay, in ms. */
export async function measureRoundTrips(subject: Subject, load: Load, rounds: number): Promise<{ relayed: number[]; direct: number[] }> {
  return await withCircuits(subject, load, subject.names.slice(0, 1), 'echo', async ([line = -1]) => {
    // In turns, so that both meet the same machine.
    const [relayed, direct]: [number[], number[]] = [[], []]
    const turns = 4
    for (let turn = 0; turn < turns; turn++) {
      relayed.push(...(await load.sender.roundTrips(line, ROUND_TRIP_BYTES, rounds / turns)))
      direct.push(...(await load.sender.roundTrips(subject.direct, ROUND_TRIP_BYTES, rounds / turns)))
    }
    return { relayed, direct }
  })
}

export interface MemoryOf {
  /** Bytes of resident memory for each. */
  readonly rss: number
  /** Bytes that the program holds for each; NaN where the runtime does not say. */
  readonly held: number
}

/**
 * What a peer that waits costs: `steps` times `count` of them come, and the middle step counts. Now and then the runtime takes tens of megabytes at once
 * for the garbage to come; one such step would be a peer's cost several times over. They are left waiting: `names` are for whoever ends them.
 */
export async function measureIdle(
  relay: RunningRelay,
  { receiver }: Load,
  steps: number,
  count: number,
): Promise<MemoryOf & { names: string[] }> {
  const names: string[] = []
  const [rss, held]: [number[], number[]] = [[], []]
  let before = await settled(relay)
  for (let step = 0; step < steps; step++) {
    names.push(...(await receiver.listen(relay.entry, count)))
    const after = await settled(relay)
    rss.push((after.rss - before.rss) / count)
    held.push((after.held - before.held) / count)
    before = after
  }
  return { rss: median(rss), held: median(held), names }
}

/** What circuits cost while they carry as much as they can: `each` on every lane, looked at several times within `ms`. */
export async function measureBusy(subject: Subject, load: Load, each: number, ms: number): Promise<MemoryOf> {
  const { relay, names } = subject
  const dialled = Array.from({ length: each * LANES }, (_, i) => names[i % LANES] ?? '')
  const before = await settled(relay)
  return await withCircuits(subject, load, dialled, 'sink', async (lines) => {
    const start = await load.receiver.received()
    const pumping = load.sender.pump(lines, 64 * 1024, ms)
    const looks: MemoryOf[] = []
    const until = performance.now() + ms
    while (performance.now() < until - 200) {
      await new Promise((resolve) => setTimeout(resolve, 200))
      const { rss, held } = await relay.memory()
      looks.push({ rss, held })
    }
    await load.receiver.receivedAtLeast(start + (await pumping) * 64 * 1024)
    const most = (pick: (look: MemoryOf) => number): number => Math.max(...looks.map(pick))
    return { rss: (most(({ rss }) => rss) - before.rss) / dialled.length, held: (most(({ held }) => held) - before.held) / dialled.length }
  })
}

/** Identify and its like go on for a moment after a peer has come. */
async function settled(relay: RunningRelay): ReturnType<RunningRelay['memory']> {
  await new Promise((resolve) => setTimeout(resolve, 500))
  return await relay.memory()
}

/** Opens a circuit to each name, does `work` with them, and closes them. */
export async function withCircuits<Result>(
  { relay }: Pick<Subject, 'relay'>,
  { receiver, sender }: Load,
  names: readonly string[],
  kind: Kind,
  work: (lines: readonly number[]) => Promise<Result>,
): Promise<Result> {
  const lines = await sender.open(relay.entry, await receiver.offer(relay.entry, names, kind), Math.min(LANES, names.length), kind)
  try {
    return await work(lines)
  } finally {
    await sender.close(lines)
  }
}
