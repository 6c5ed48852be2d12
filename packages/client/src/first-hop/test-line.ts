/**
 * For tests: a line to a bridge as a few numbers, on the clock of the test: when each hop's packets first come back, when its handshake ends, what is blocked.
 */
import type { HopKind } from './hop-kind.ts'
import { startingOrder } from './plan.ts'
import { startRace, type Race } from './race.ts'

/** Round trips until packets are seen to go there and back, and until the handshake has ended, with TLS. */
const ROUND_TRIPS = { webtransport: [2, 3.5], websocket: [3, 5.5], tunnel: [1, 4.5] } as const
type Fate = 'works' | 'hangs' | 'is refused'
export type Network = Record<HopKind, Fate>

export class Line {
  readonly begun: [HopKind, number][] = []
  readonly open = new Set<HopKind>()
  readonly links: Link[] = []

  readonly network: Network
  readonly roundTripMs: number

  constructor(network: Network, roundTripMs: number) {
    this.network = network
    this.roundTripMs = roundTripMs
  }

  race(winner?: HopKind, kinds: readonly HopKind[] = ['webtransport', 'websocket', 'tunnel']): Race<Link> {
    return startRace({
      kinds: startingOrder(kinds, winner),
      dial: (kind, signal, onThrough) => this.dial(kind, signal, onThrough),
      discard: (link) => (link.isOpen = false),
      now: Date.now,
    })
  }

  /** Called off in the last moment, a link comes all the same, as from a browser. */
  private async dial(kind: HopKind, signal: AbortSignal, onThrough: () => void): Promise<Link> {
    this.begun.push([kind, Date.now()])
    this.open.add(kind)
    try {
      const [through, done] = ROUND_TRIPS[kind]
      if (this.network[kind] === 'hangs') await pause(Infinity, signal)
      if (this.network[kind] === 'is refused') {
        await pause(this.roundTripMs, signal)
        throw new Error('refused')
      }
      await pause(through * this.roundTripMs, signal)
      onThrough()
      await pause((done - through) * this.roundTripMs, signal)
      const link = { kind, isOpen: true }
      this.links.push(link)
      return link
    } finally {
      this.open.delete(kind)
    }
  }
}

export interface Link {
  readonly kind: HopKind
  isOpen: boolean
}

/** `Infinity`: until `signal`. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = ms === Infinity ? undefined : setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
    if (signal.aborted) reject(signal.reason)
  })
}
