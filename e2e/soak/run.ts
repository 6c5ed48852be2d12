/**
 * `npm run soak [-- --peers 5000 --minutes 10 --json]`: that many browsers' worth of reservations on one bridge, with the peer list live, a few percent of
 * them changing every minute and circuits between random pairs; then everybody leaves. Prints a row a minute and what is left at the end.
 * The bridge is the real one in a process of its own; the peers are whole stock libp2p nodes (light-peer.ts). Linux only: it reads /proc.
 */
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startViewedBridge } from './bridge-view.ts'
import { gatherCrowd } from './crowd.ts'
import { openFilesAllowed } from './open-files.ts'
import { createReport } from './report.ts'

/** Of the crowd, a minute. */
const CHURN_PER_MINUTE = 0.03
const CHURN_EVERY_MS = 5_000
const ECHO_EVERY_MS = 5_000
/** Come and go before the base is taken: code is compiled, tables have their size. */
const WARM_UP = 50
const SETTLE_MS = 30_000

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: '5000' },
    minutes: { type: 'string', default: '10' },
    json: { type: 'boolean', default: false },
    /** Writes heap snapshots of the bridge, before anybody is there, while all are, and after, to files that begin so. */
    heap: { type: 'string' },
  },
})
const peers = Number(values.peers)
const minutes = Number(values.minutes)
if (!(peers >= 10 && minutes > 0)) {
  console.error('npm run soak -- [--peers 5000] [--minutes 10] [--json] [--heap <path>]')
  process.exit(1)
}
// One socket a peer in the bridge, and its files.
const needed = peers + 500
if ((await openFilesAllowed()) < needed) {
  console.error(`${peers} peers need ${needed} open files in the bridge's process; this shell allows ${await openFilesAllowed()}.`)
  console.error(`Raise the hard limit first, as root: prlimit --nofile=${needed}:${needed} --pid $$`)
  process.exit(1)
}

const report = createReport(values.json)
const probeSocket = join(tmpdir(), `footbridge-soak-${process.pid}.sock`)
const view = await startViewedBridge(probeSocket)
// Who is called off takes the bridge along; the peers end with our side of their pipes.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void view.bridge.remove().finally(() => process.exit(130)))
let failed = false
try {
  failed = !(await soak())
} finally {
  await view.bridge.remove()
  await rm(probeSocket, { force: true })
}
// Whatever libp2p left waiting in this process is not worth waiting for.
process.exit(failed ? 1 : 0)

async function soak(): Promise<boolean> {
  const warm = await gatherCrowd(view, WARM_UP)
  await warm.join(WARM_UP)
  await warm.echo()
  await warm.vanish()
  await eventually(async () => (await view.reserved()).length === 0)
  const base = await view.settledStats()
  report.base(base)
  if (values.heap !== undefined) await view.heapSnapshot(`${values.heap}-base.heapsnapshot`)

  const crowd = await gatherCrowd(view, peers)
  const joinedAt = performance.now()
  await crowd.join(peers)
  await eventually(async () => (await view.reserved()).length === crowd.here.size)
  report.joined(crowd.here.size, (performance.now() - joinedAt) / 1_000, crowd.failures)
  // Who was lost while others came counts too.
  const lost = [...(await crowd.stats()).lost]
  const idle = await view.settledStats()
  report.perPeer(base, idle, crowd.here.size)
  if (values.heap !== undefined) await view.heapSnapshot(`${values.heap}-idle.heapsnapshot`)

  const echoes = { worked: 0, failed: [] as string[], slowestMs: 0 }
  const endsAt = performance.now() + minutes * 60_000
  const until = (ms: number): number => Math.max(0, Math.min(ms, endsAt - performance.now()))
  const repeat = async (everyMs: number, act: () => Promise<void>): Promise<void> => {
    while (performance.now() < endsAt) {
      await act()
      await sleep(until(everyMs))
    }
  }
  await Promise.all([
    repeat(CHURN_EVERY_MS, () => crowd.churn(Math.max(1, Math.round((peers * CHURN_PER_MINUTE * CHURN_EVERY_MS) / 60_000)))),
    repeat(ECHO_EVERY_MS, async () => {
      try {
        echoes.slowestMs = Math.max(echoes.slowestMs, await crowd.echo())
        echoes.worked++
      } catch (error) {
        echoes.failed.push(error instanceof Error ? error.message : String(error))
      }
    }),
    (async () => {
      let before = await view.stats()
      for (let minute = 1; performance.now() < endsAt; minute++) {
        const startedAt = performance.now()
        await sleep(until(60_000))
        const [stats, crowdStats] = [await view.stats(), await crowd.stats()]
        lost.push(...crowdStats.lost)
        const seconds = (performance.now() - startedAt) / 1_000
        report.minute({
          minute,
          seconds,
          stats,
          before,
          crowd: crowdStats,
          sockets: await view.sockets(),
          reserved: (await view.reserved()).length,
        })
        before = stats
      }
    })(),
  ])

  const held = await view.settledStats()
  const expected = [...crowd.here].toSorted().join()
  const isComplete = (list: readonly string[]): boolean => {
    const missing = [...crowd.here].filter((peer) => !list.includes(peer))
    return missing.length === 1 && list.length === crowd.here.size - 1
  }
  const listsAgree = await eventually(async () => (await crowd.lists()).every(isComplete))
  const bookAgrees = await eventually(async () => (await view.reserved()).toSorted().join() === expected)
  const size = crowd.here.size
  await crowd.vanish()
  const emptied = await eventually(async () => (await view.reserved()).length === 0 && (await view.sockets()) <= 16)
  const after = await view.settledStats()
  if (values.heap !== undefined) await view.heapSnapshot(`${values.heap}-left.heapsnapshot`)
  return report.end({
    base,
    held,
    after,
    size,
    echoes,
    lost,
    failures: crowd.failures,
    listsAgree,
    bookAgrees,
    emptied,
    sockets: await view.sockets(),
  })
}

async function eventually(check: () => Promise<boolean>): Promise<boolean> {
  const deadline = performance.now() + SETTLE_MS
  while (performance.now() < deadline) {
    if (await check()) return true
    await sleep(200)
  }
  return check()
}
