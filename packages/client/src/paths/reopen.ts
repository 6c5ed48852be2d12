/**
 * Circuits that ended because the bridge was away are made again when it is back: a conversation goes on without a first message that has to wait, and
 * a direct path has its way to fall back on. Decides whom to dial and when; paths.ts dials.
 */

/** Who was not back by then is dialled when somebody has something to say. */
const WANTED_FOR_MS = 5 * 60_000
/** Circuits made again at most: more than a person talks with at a time, few enough for a bridge that has just come back. */
const MAX_WANTED = 30
/** Between two dials. */
const STEP_MS = 100
/** Both ends lost the same circuit: the lower PeerId dials, the other looks later whether it has. */
const OTHER_SIDE_MS = 3_000

export interface ReopenParts {
  readonly own: string
  readonly now: () => number
  /** Whether there is a circuit to this peer. */
  readonly hasCircuit: (peer: string) => boolean
  /** @throws when the peer is not back */
  readonly dial: (peer: string) => Promise<unknown>
}

export interface Reopen {
  /** The last circuit to this peer went with the link to the bridge. */
  lost(peer: string): void
  /** The bridge is back. */
  bridgeBack(): void
  /** The bridge lists this peer again. */
  came(peer: string): void
  stop(): void
}

export function createReopen({ own, now, hasCircuit, dial }: ReopenParts): Reopen {
  const wanted = new Map<string, number>()
  const timers = new Set<ReturnType<typeof setTimeout>>()

  const later = (ms: number, act: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      act()
    }, ms)
    timers.add(timer)
  }

  const reopen = (peer: string): void => {
    const lostAt = wanted.get(peer)
    if (lostAt === undefined) return
    if (now() - lostAt > WANTED_FOR_MS || hasCircuit(peer)) return void wanted.delete(peer)
    // Not back yet: `came` tells.
    dial(peer).then(
      () => wanted.delete(peer),
      () => undefined,
    )
  }

  return {
    lost(peer) {
      if (wanted.size < MAX_WANTED) wanted.set(peer, now())
    },
    bridgeBack() {
      ;[...wanted.keys()].forEach((peer, index) => later(index * STEP_MS + (own < peer ? 0 : OTHER_SIDE_MS), () => reopen(peer)))
    },
    came(peer) {
      if (wanted.has(peer)) later(own < peer ? 0 : OTHER_SIDE_MS, () => reopen(peer))
    },
    stop() {
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
    },
  }
}
