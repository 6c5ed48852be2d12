/**
 * Where a relay's processor time goes: V8's sampling profiler, switched on in the relay's process while it carries 64 KiB and then 200 B messages.
 * Self time, in hundredths of the time that it was not idle: by function and by package. Runtimes other than Node have none here.
 */
import type { Row } from '../bench.ts'
import { startLoadProcess } from './load/load.ts'
import { measureRate, settle, type Load } from './measure.ts'
import type { CpuProfile, RelaySubject } from './subjects/subject.ts'

const WARM_UP_MS = 2_000
const PROFILE_MS = 5_000
const FUNCTIONS = 30
const SIZES = [
  ['64 KiB', 64 * 1024],
  ['200 B', 200],
] as const

export async function profile(subjects: readonly RelaySubject[], note: (line: string) => void): Promise<Row[]> {
  const rows: Row[] = []
  const load: Load = { receiver: startLoadProcess(), sender: startLoadProcess() }
  try {
    for (const subject of subjects) {
      const relay = await subject.start()
      try {
        if (relay.profile === undefined) {
          note(`LEFT OUT: ${subject.name} has no profiler here`)
          continue
        }
        const started = await settle(relay, load)
        for (const [size, bytes] of SIZES) {
          await measureRate(started, load, bytes, WARM_UP_MS)
          const taken = await relay.profile(() => measureRate(started, load, bytes, PROFILE_MS))
          const row = (metric: string, value: number): Row => ({
            bench: 'relay',
            subject: `${subject.name}, ${size}`,
            metric,
            unit: '%',
            value,
          })
          const { byPackage, byFunction } = selfTimes(taken)
          for (const [name, part] of byPackage.slice(0, 12)) rows.push(row(`package ${name}`, part * 100))
          for (const [name, part] of byFunction.slice(0, FUNCTIONS)) rows.push(row(name, part * 100))
        }
      } finally {
        await relay.stop()
      }
    }
  } finally {
    await Promise.all([load.receiver.stop(), load.sender.stop()])
  }
  return rows
}

type Parts = readonly (readonly [name: string, part: number])[]

/** Parts of the time that was not idle, greatest first. */
function selfTimes({ nodes, samples, timeDeltas }: CpuProfile): { readonly byFunction: Parts; readonly byPackage: Parts } {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]))
  const [functions, packages] = [new Map<string, number>(), new Map<string, number>()]
  let sum = 0
  for (const [i, id] of samples.entries()) {
    const frame = frames.get(id)
    if (frame === undefined || frame.functionName === '(idle)') continue
    const us = timeDeltas[i] ?? 0
    sum += us
    const where = packageOf(frame.url)
    const name = `${frame.functionName || '(anonymous)'}${frame.url === '' ? '' : ` ${where}/${frame.url.split('/').at(-1)}:${frame.lineNumber + 1}`}`
    functions.set(name, (functions.get(name) ?? 0) + us)
    const owner = frame.url === '' ? (frame.functionName.startsWith('(') ? frame.functionName : 'runtime') : where
    packages.set(owner, (packages.get(owner) ?? 0) + us)
  }
  const ranked = (parts: Map<string, number>): Parts =>
    [...parts].map(([name, us]) => [name, us / sum] as const).toSorted((a, b) => b[1] - a[1])
  return { byFunction: ranked(functions), byPackage: ranked(packages) }
}

/** `@libp2p/yamux` of …/node_modules/@libp2p/yamux/dist/…, `packages/shared` or `apps/bridge` of our own. */
function packageOf(url: string): string {
  if (url.startsWith('node:')) return 'node'
  const installed = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]
  return installed ?? /\/((?:apps|packages|e2e)\/[^/]+)\//.exec(url)?.[1] ?? 'runtime'
}
