/**
 * What the bridge has told this session over the control stream, as facts for the app: limits, what holds it up and until when, circuits that are being
 * cut, a restart, and how far this device's clock is off. Times of the bridge become times of this device here, once.
 * Not here: the stream (protocols/control), what the supervisor does about a restart.
 */
import type { ControlFrame } from '@footbridge/shared/wire/control-frame'
import type { BridgeNotices, Held } from './api.ts'
import { writable, type Writable } from './observable.ts'

/** A limit whose end nobody knows is repeated by the bridge while it holds, at most once a second. */
const HELD_UNKNOWN_MS = 10_000
/** How long a circuit's end is shown after it. */
const ENDED_SHOWN_MS = 60_000
/** Of each kind: the list of limits is short, and a page with more circuits than that shows the last. */
const MAX_SHOWN = 16

export const NO_NOTICES: BridgeNotices = { clockSkewMs: undefined, limits: undefined, held: [], ending: [], draining: undefined }

export interface Notices {
  readonly current: Writable<BridgeNotices>
  /** @param roundTripMs between our hello and this frame, for `welcome` */
  take(frame: ControlFrame, roundTripMs: number): void
  /** Reachable again, or out: what was said of the link before is void. */
  clear(): void
  stop(): void
}

export function createNotices(now: () => number): Notices {
  const current = writable<BridgeNotices>(NO_NOTICES)
  let timer: ReturnType<typeof setTimeout> | undefined

  const set = (change: Partial<BridgeNotices>): void => {
    current.set({ ...current.get(), ...change })
    plan()
  }

  /** Drops what is over, at the moment when it is. */
  const plan = (): void => {
    clearTimeout(timer)
    const { held, ending } = current.get()
    const ends = [...held.map(({ shownUntil }) => shownUntil), ...ending.map(({ at }) => at + ENDED_SHOWN_MS)]
    if (ends.length === 0) return
    timer = setTimeout(prune, Math.max(100, Math.min(...ends) - now()))
  }

  const prune = (): void => {
    const { held, ending } = current.get()
    const at = now()
    set({ held: held.filter((each) => each.shownUntil > at), ending: ending.filter((each) => each.at + ENDED_SHOWN_MS > at) })
  }

  const here = (bridgeTime: number): number => bridgeTime - (current.get().clockSkewMs ?? 0)

  return {
    current,
    take(frame, roundTripMs) {
      const { held, ending } = current.get()
      switch (frame.type) {
        case 'welcome':
          return set({ clockSkewMs: Math.round(frame.now + roundTripMs / 2 - now()), limits: frame.limits })
        case 'limits':
          return set({ limits: frame.limits })
        case 'held': {
          const until = frame.until === null ? undefined : here(frame.until)
          const fresh: Held = { limit: frame.limit, scope: frame.scope, until, shownUntil: until ?? now() + HELD_UNKNOWN_MS }
          const others = held.filter((each) => each.limit !== frame.limit || each.scope !== frame.scope)
          return set({ held: [...others, fresh].slice(-MAX_SHOWN) })
        }
        case 'ending': {
          const others = ending.filter((each) => each.peer !== frame.peer)
          return set({ ending: [...others, { peer: frame.peer, reason: frame.reason, at: here(frame.at) }].slice(-MAX_SHOWN) })
        }
        case 'draining': {
          const { awayMs, reconnectInMs } = frame
          return set({
            draining: { reconnectAt: now() + reconnectInMs, backBy: awayMs === null ? undefined : now() + Math.max(awayMs, reconnectInMs) },
          })
        }
        case 'hello':
        case 'replaced':
      }
    },
    clear() {
      clearTimeout(timer)
      current.set({ ...NO_NOTICES, clockSkewMs: current.get().clockSkewMs, limits: current.get().limits })
    },
    stop: () => clearTimeout(timer),
  }
}
