/**
 * What the bridge knows of one session that wants to be found by the network, and how that changes: pure and total, so that a model test can walk every way
 * through it. What follows from it is announce.ts.
 *
 *     quiet ──visible network──► waiting ──record──► carried ──record──► carried (newer)
 *       ▲                           ▲                   │
 *       └──visible other────────────┴─────outdated──────┘
 *
 * Invariants: only a device that chose `network` is carried; a record's number is above every one before it in the session; every address of a
 * carried record was asked for; a record whose addresses are no longer ours is given up in time.
 */
import type { RecordRefusal, Visibility } from '@footbridge/shared/wire/announce-frame'
import type { Multiaddr } from '@multiformats/multiaddr'
import { OUTDATED_RECORD_MS } from '../limits.ts'

/** A record whose signature holds and whose PeerID is the session's. */
export interface Carried {
  readonly peer: string
  /** Its number; below 2^53. */
  readonly seq: number
  /** As received, in both forms. */
  readonly envelope: Uint8Array
  readonly legacy: Uint8Array
  /** Each ends in `/p2p-circuit`. */
  readonly addresses: readonly Multiaddr[]
}

interface Known {
  /** Of the last record taken in this session; 0 before the first. */
  readonly seq: number
  /** The circuit addresses through this bridge that a record may have. */
  readonly asked: readonly string[]
}

export type Announcement =
  | (Known & { readonly state: 'quiet' })
  | (Known & { readonly state: 'waiting' })
  /** `outdatedAt`: since then one of its addresses is not ours any more. */
  | (Known & { readonly state: 'carried'; readonly carried: Carried; readonly outdatedAt: number | undefined })

export type AnnouncementEvent =
  /** The device's choice, also when it says the same again: it may be on another stream. */
  | { readonly type: 'visible'; readonly visibility: Visibility; readonly own: readonly string[] }
  | { readonly type: 'record'; readonly carried: Carried }
  /** Our own addresses, perhaps the same. */
  | { readonly type: 'own'; readonly own: readonly string[] }
  | { readonly type: 'tick' }

export interface Outcome {
  readonly next: Announcement
  /** Ask the device for a record of `next.asked`. */
  readonly ask?: true
  readonly refused?: RecordRefusal
}

export const QUIET: Announcement = { state: 'quiet', seq: 0, asked: [] }

export function decide(present: Announcement, event: AnnouncementEvent, now: number): Outcome {
  switch (event.type) {
    case 'visible':
      if (event.visibility !== 'network') return { next: { state: 'quiet', seq: present.seq, asked: [] } }
      return { next: withOwn(present.state === 'quiet' ? { ...present, state: 'waiting' } : present, event.own, now), ask: true }
    case 'record':
      return take(present, event.carried)
    case 'own': {
      if (present.state === 'quiet' || isSameList(present.asked, event.own)) return { next: present }
      return { next: withOwn(present, event.own, now), ask: true }
    }
    case 'tick': {
      if (present.state !== 'carried' || present.outdatedAt === undefined) return { next: present }
      // A clock set back must not keep it for long.
      const isOver = now - present.outdatedAt >= OUTDATED_RECORD_MS || now < present.outdatedAt
      return isOver ? { next: { state: 'waiting', seq: present.seq, asked: present.asked }, ask: true } : { next: present }
    }
  }
}

function take(present: Announcement, carried: Carried): Outcome {
  if (present.state === 'quiet') return { next: present, refused: 'unasked' }
  if (carried.seq <= present.seq) return { next: present, refused: 'number' }
  const asked = new Set(present.asked)
  if (carried.addresses.length === 0 || carried.addresses.some((address) => !asked.has(address.toString())))
    return { next: present, refused: 'address' }
  return { next: { state: 'carried', seq: carried.seq, asked: present.asked, carried, outdatedAt: undefined } }
}

function withOwn(present: Announcement, own: readonly string[], now: number): Announcement {
  if (present.state !== 'carried') return { ...present, asked: own }
  const fits = present.carried.addresses.every((address) => own.includes(address.toString()))
  return { ...present, asked: own, outdatedAt: fits ? undefined : (present.outdatedAt ?? now) }
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, index) => each === b[index])
}
