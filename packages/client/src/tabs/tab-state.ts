/**
 * Which tab of a browser holds the peer: states, events, and the pure function between them. The driver (lead.ts) has the locks and the channel.
 *
 *     asking ──granted──► leading ──stolen──► following ──granted──► leading
 *        └────refused──────────────────────────▲   │
 *                                              │   └─ nobody answers ──► stealing ──granted──► leading
 *                                              └────────────────────────────┘ somebody answers
 *
 * A Web Lock decides, and is handed on by the browser when a tab closes. It stays held by a tab that the browser froze, so a tab that follows asks the
 * leader whether it is there, and steals the lock from one that does not answer.
 *
 * Invariants (model-tested):
 * - silence is counted in questions of our own, never by a clock: a tab that was frozen itself accuses nobody;
 * - a tab acts as leader only while it holds the lock, and never again after it was stolen, until it is granted anew;
 * - who follows is always in line for the lock.
 */

/** Between two questions; each is one small message between two tabs of one browser. */
export const ASK_EVERY_MS = 2_000
/** Unanswered questions after which the leader is taken for frozen. A hidden tab answers, if slowly: message events are not throttled. */
export const MAX_UNANSWERED = 3

export type TabState =
  | { readonly state: 'asking' }
  | { readonly state: 'leading' }
  | { readonly state: 'following'; readonly unanswered: number }
  | { readonly state: 'stealing' }
  | { readonly state: 'closed' }

export type TabEvent =
  /** We hold the lock. */
  | { readonly type: 'granted' }
  /** Another tab holds it. */
  | { readonly type: 'refused' }
  /** Another tab took it from us. */
  | { readonly type: 'stolen' }
  /** The leader said something. */
  | { readonly type: 'heard' }
  /** ASK_EVERY_MS have gone by, by a timer of this page. */
  | { readonly type: 'tick' }
  | { readonly type: 'close' }

export type TabEffect = 'lead' | 'follow' | 'queue' | 'ask' | 'steal' | 'release'

export interface TabStep {
  readonly next: TabState
  readonly effects: readonly TabEffect[]
}

export function decideTab(current: TabState, event: TabEvent): TabStep {
  if (current.state === 'closed') return stay(current)
  switch (event.type) {
    case 'close':
      return { next: { state: 'closed' }, effects: ['release'] }
    case 'granted':
      return current.state === 'leading' ? stay(current) : { next: { state: 'leading' }, effects: ['lead'] }
    case 'refused':
      return current.state === 'asking' ? follow() : stay(current)
    case 'stolen':
      return current.state === 'leading' ? follow() : stay(current)
    case 'heard':
      if (current.state === 'stealing') return stay({ state: 'following', unanswered: 0 })
      return current.state === 'following' ? stay({ state: 'following', unanswered: 0 }) : stay(current)
    case 'tick':
      if (current.state !== 'following') return stay(current)
      if (current.unanswered >= MAX_UNANSWERED) return { next: { state: 'stealing' }, effects: ['steal'] }
      return { next: { state: 'following', unanswered: current.unanswered + 1 }, effects: ['ask'] }
  }
}

function follow(): TabStep {
  return { next: { state: 'following', unanswered: 1 }, effects: ['follow', 'queue', 'ask'] }
}

function stay(next: TabState): TabStep {
  return { next, effects: [] }
}
