/** What the soak prints: rows for a person, or one JSON object a line. */
import type { BridgeStats } from './bridge-view.ts'
import type { CrowdStats } from './crowd.ts'

export interface Minute {
  readonly minute: number
  readonly seconds: number
  readonly stats: BridgeStats
  readonly before: BridgeStats
  readonly crowd: CrowdStats
  readonly sockets: number
  readonly reserved: number
}

export interface Ending {
  readonly base: BridgeStats
  readonly held: BridgeStats
  readonly after: BridgeStats
  readonly size: number
  readonly echoes: { readonly worked: number; readonly failed: readonly string[]; readonly slowestMs: number }
  readonly lost: readonly string[]
  readonly failures: readonly string[]
  readonly listsAgree: boolean
  readonly bookAgrees: boolean
  readonly emptied: boolean
  readonly sockets: number
}

export interface Report {
  base(stats: BridgeStats): void
  joined(count: number, seconds: number, failures: readonly string[]): void
  perPeer(base: BridgeStats, idle: BridgeStats, count: number): void
  minute(row: Minute): void
  /** @returns whether all was as it has to be. */
  end(ending: Ending): boolean
}

/** What may be left of every peer that was here: its session lives on for an hour. */
const LEFT_PER_PEER_BYTES = 4_000
/** And of the bridge itself: compiled code and tables that grew. */
const LEFT_BYTES = 8_000_000

const mb = (bytes: number): number => Math.round(bytes / 1e5) / 10
const kb = (bytes: number): number => Math.round(bytes / 100) / 10
const ms = (value: number): number => Math.round(value * 10) / 10
const live = ({ heapUsed, external }: BridgeStats): number => heapUsed + external

export function createReport(json: boolean): Report {
  const row = (kind: string, values: Readonly<Record<string, unknown>>): void => {
    if (json) console.log(JSON.stringify({ kind, ...values }))
    else
      console.log(
        `${kind.padEnd(9)}${Object.entries(values)
          .map(([name, value]) => `${name} ${Array.isArray(value) ? JSON.stringify(value) : String(value)}`)
          .join('  ')}`,
      )
  }

  return {
    base: (stats) => row('base', { rssMB: mb(stats.rss), heapMB: mb(stats.heapUsed), externalMB: mb(stats.external) }),
    joined: (count, seconds, failures) => row('joined', { peers: count, seconds: ms(seconds), failures: [...new Set(failures)] }),
    perPeer: (base, idle, count) =>
      row('idle', {
        rssMB: mb(idle.rss),
        perPeerRssKB: kb((idle.rss - base.rss) / count),
        perPeerHeapKB: kb((idle.heapUsed - base.heapUsed) / count),
        perPeerExternalKB: kb((idle.external - base.external) / count),
      }),
    minute: ({ minute, seconds, stats, before, crowd, sockets, reserved }) =>
      row('minute', {
        minute,
        rssMB: mb(stats.rss),
        heapMB: mb(stats.heapUsed),
        externalMB: mb(stats.external),
        cpuPercent: ms((stats.cpuMs - before.cpuMs) / seconds / 10),
        loopP99Ms: ms(stats.delayP99Ms),
        loopMaxMs: ms(stats.delayMaxMs),
        sockets,
        reserved,
        presenceMBps: ms(crowd.presenceBytes / seconds / 1e6),
        peersRssMB: mb(crowd.rss),
        lost: crowd.lost.length,
      }),
    end(ending) {
      const { base, held, after, size, echoes, lost, failures, sockets } = ending
      const left = live(after) - live(base)
      row('held', {
        rssMB: mb(held.rss),
        perPeerRssKB: kb((held.rss - base.rss) / size),
        perPeerLiveKB: kb((live(held) - live(base)) / size),
      })
      row('circuits', { worked: echoes.worked, failed: echoes.failed, slowestMs: ms(echoes.slowestMs) })
      row('left', { rssMB: mb(after.rss), liveMB: mb(live(after)), overBaseMB: mb(left), sockets })
      const facts = {
        'everybody came in': failures.length === 0,
        'nobody was lost': lost.length === 0,
        'every circuit worked': echoes.failed.length === 0 && echoes.worked > 0,
        'the lists were right': ending.listsAgree,
        'the reservations were right': ending.bookAgrees,
        'nothing was left behind': ending.emptied && left < LEFT_BYTES + size * LEFT_PER_PEER_BYTES,
      }
      row('result', {
        ...facts,
        ...(failures.length > 0 && { failures: failures.slice(0, 3) }),
        ...(lost.length > 0 && { lost: lost.slice(0, 3) }),
      })
      return Object.values(facts).every(Boolean)
    },
  }
}
