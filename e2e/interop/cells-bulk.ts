/** A hundred megabytes each way through a circuit, into a reader who does not read at first, hashed at both ends. */
import { residentBytes } from '../bench/relay/process-meter.ts'
import { expect, type Cell } from './cell.ts'

const MB = 1_000_000
const ORDER = { up: 100 * MB, down: 100 * MB, pauseMs: 2_000 }
/** What lies between two ends that both wait: windows, sockets, and what each end holds back. Far below what is sent. */
const MAX_UNREAD_BYTES = 24 * MB
/** Beside what it had before; collectors of garbage take their time. */
const MAX_GROWTH_BYTES = { bridge: 80 * MB, peer: 120 * MB }
const LOOK_EVERY_MS = 50

export const bulkCells: readonly Cell[] = [
  {
    id: 'bulk',
    title: '100 MB each way with backpressure, from it to the virtual peer and back',
    async run(scene) {
      const peer = await scene.peer()
      const address = await scene.bridgeAddress('tcp')
      await peer.order({ do: 'dial', address })
      await peer.order({ do: 'dial', address: `${address}/p2p-circuit/p2p/${scene.virtual}` })
      const memory = watch({ bridge: scene.bridge.pid, peer: peer.pid })
      const result = await peer.order({ do: 'bulk', peer: scene.virtual, ...ORDER }).finally(memory.stop)
      return judge(result['takenUnread'] as number, memory.grown(), { upMs: result['upMs'] as number, downMs: result['downMs'] as number })
    },
  },
  {
    id: 'bulk-from-browser',
    title: '100 MB each way with backpressure, from the virtual peer to it and back',
    async run(scene) {
      const peer = await scene.peer(['tcp'])
      await scene.logIn(peer)
      await peer.order({ do: 'reserve', address: await scene.bridgeAddress('tcp') })
      const { page } = scene
      await page.evaluate((target) => interop.dial(target), `/p2p/${scene.bridgePeer}/p2p-circuit/p2p/${peer.peer}`)
      const memory = watch({ bridge: scene.bridge.pid, peer: peer.pid })
      try {
        const result = await page.evaluate(({ to, order }) => interop.bulk(to, order), { to: peer.peer, order: ORDER })
        return judge(result.takenUnread, memory.grown(), result)
      } finally {
        memory.stop()
        await page.evaluate((to) => interop.hangUp(to), peer.peer)
      }
    },
  },
]

function judge(
  takenUnread: number,
  grown: Readonly<Record<'bridge' | 'peer', number>>,
  { upMs, downMs }: { upMs: number; downMs: number },
): string {
  expect(takenUnread < MAX_UNREAD_BYTES, `${mb(takenUnread)} were taken from the sender while nobody read`)
  for (const who of ['bridge', 'peer'] as const) expect(grown[who] < MAX_GROWTH_BYTES[who], `the ${who} grew by ${mb(grown[who])}`)
  const rate = (ms: number): string => `${((100 / Math.max(1, ms)) * 1000).toFixed(0)} MB/s`
  const memory = Object.entries(grown).map(([who, bytes]) => `${who} +${mb(bytes)}`)
  return [`${rate(upMs)} up`, `${rate(downMs)} down`, `${mb(takenUnread)} taken unread`, ...memory].join(', ')
}

interface Watch {
  /** Above what each had at first, at the highest. */
  grown(): Readonly<Record<'bridge' | 'peer', number>>
  readonly stop: () => void
}

function watch(processes: Readonly<Record<'bridge' | 'peer', number>>): Watch {
  const first = Object.entries(processes).map(([who, pid]) => ({ who, pid, before: residentBytes(pid), most: residentBytes(pid) }))
  const timer = setInterval(() => {
    for (const each of first) each.most = Math.max(each.most, residentBytes(each.pid))
  }, LOOK_EVERY_MS)
  return {
    grown: () => Object.fromEntries(first.map(({ who, before, most }) => [who, most - before])) as Record<'bridge' | 'peer', number>,
    stop: () => clearInterval(timer),
  }
}

function mb(bytes: number): string {
  return `${(bytes / MB).toFixed(1)} MB`
}
