/**
 * Who is known to be in a room: capped, seen last first, forgotten after a while without a sign.
 */
import { MAX_MEMBERS, MEMBER_TTL_MS } from './limits.ts'
import type { RoomMember } from './room.ts'

/** A sign so soon after the last changes nothing that a person sees. */
const SAME_MS = 5_000

export interface Members {
  /** @returns whether the list has changed */
  seen(peer: string): boolean
  left(peer: string): boolean
  list(): readonly RoomMember[]
}

export function createMembers(now: () => number): Members {
  /** In the order in which they were last seen. */
  const seenAt = new Map<string, number>()

  return {
    seen(peer) {
      const before = seenAt.get(peer)
      const at = now()
      if (before !== undefined && at - before < SAME_MS) return false
      seenAt.delete(peer)
      seenAt.set(peer, at)
      for (const oldest of seenAt.keys()) {
        if (seenAt.size <= MAX_MEMBERS) break
        seenAt.delete(oldest)
      }
      return true
    },
    left: (peer) => seenAt.delete(peer),
    list() {
      const oldest = now() - MEMBER_TTL_MS
      return [...seenAt]
        .filter(([, at]) => at >= oldest)
        .map(([peer, at]) => ({ peer, seenAt: at }))
        .reverse()
    },
  }
}
