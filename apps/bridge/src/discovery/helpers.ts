/**
 * Who helps the bridge to be found and reached: on which relays it reserves and at which rendezvous points it registers. Pure: (state, event, now) gives (state, effects).
 *
 *     relay        discovered ──► requested ──► accepted ──► expired ──► requested …
 *     rendezvous   discovered ⇄ pending ──► requested ──► registered ──► expired ──► requested …
 *
 * Events change facts; then one function nominates, so that every way into a free slot is the same. Invariants:
 *   - asked and serving together never exceed the slots, of relays and of points; nobody is asked twice at once
 *   - the operator's come first, then those never asked, then those that served or refused once, after a pause that doubles
 *   - a bridge that can be reached asks no relay but those of the operator's settings; without an address of use nothing is registered
 *   - only who is connected is asked
 * Not here: the effects (help.ts), and whether the bridge can be reached (reachability.ts).
 */
import { DISCOVER_EVERY_MS, MAX_HELPERS, MAX_REGISTRATIONS, MAX_RESERVATIONS, MAX_RETRY_MS, RENEW_BEFORE_MS, RETRY_MS } from './limits.ts'
import type { Reachability } from './reachability.ts'

interface Helper {
  readonly configured: boolean
  readonly connected: boolean
  /** In a row; how long the next pause is. */
  readonly failures: number
}

export type Relay = Helper &
  ({ readonly state: 'discovered' | 'requested' | 'accepted' } | { readonly state: 'expired'; readonly retryAt: number })

export type Point = Helper & {
  /** When it was asked last who is there; undefined for never. */
  readonly askedAt: number | undefined
} & (
    | { readonly state: 'discovered' | 'pending' }
    /** `isStale`: our addresses have changed since it was asked. */
    | { readonly state: 'requested'; readonly isStale: boolean }
    | { readonly state: 'registered'; readonly until: number; readonly renewAt: number }
    | { readonly state: 'expired'; readonly retryAt: number }
  )

export interface Helpers {
  readonly reachability: Reachability
  /** Whether the bridge has an address that means something to others. */
  readonly hasAddress: boolean
  readonly relays: ReadonlyMap<string, Relay>
  readonly points: ReadonlyMap<string, Point>
}

export const NO_HELPERS: Helpers = { reachability: 'unknown', hasAddress: false, relays: new Map(), points: new Map() }

export type HelperEvent =
  /** By identify, of a connection. */
  | { readonly type: 'met'; readonly peer: string; readonly isRelay: boolean; readonly isPoint: boolean; readonly configured: boolean }
  /** Its last connection closed. */
  | { readonly type: 'left'; readonly peer: string }
  | { readonly type: 'reserved'; readonly peer: string }
  /** Refused, or ended. */
  | { readonly type: 'reservation-lost'; readonly peer: string }
  | { readonly type: 'registered'; readonly peer: string; readonly until: number }
  | { readonly type: 'registration-failed'; readonly peer: string }
  | { readonly type: 'reachability'; readonly reachability: Reachability }
  /** Ours have changed. */
  | { readonly type: 'addresses'; readonly hasAddress: boolean }
  | { readonly type: 'tick' }

export type HelperEffect =
  | { readonly type: 'reserve'; readonly peer: string }
  | { readonly type: 'register'; readonly peer: string }
  | { readonly type: 'unregister'; readonly peer: string }
  /** Asks a point who is there. */
  | { readonly type: 'discover'; readonly peer: string }

export interface Step {
  readonly state: Helpers
  readonly effects: readonly HelperEffect[]
}

export function next(state: Helpers, event: HelperEvent, now: number): Step {
  const effects: HelperEffect[] = []
  return nominate(apply(state, event, now, effects), now, effects)
}

function apply(state: Helpers, event: HelperEvent, now: number, effects: HelperEffect[]): Helpers {
  switch (event.type) {
    case 'met':
      return meet(state, event)
    case 'left':
      return {
        ...state,
        relays: changed(state.relays, event.peer, (relay) => {
          const gone = { ...relay, connected: false }
          return isUsed(relay) ? lost(gone, now) : gone
        }),
        points: changed(state.points, event.peer, (point) => ({ ...point, connected: false })),
      }
    case 'reserved':
      return { ...state, relays: changed(state.relays, event.peer, accepted) }
    case 'reservation-lost':
      return { ...state, relays: changed(state.relays, event.peer, (relay) => (isUsed(relay) ? lost(relay, now) : relay)) }
    case 'registered':
      return { ...state, points: changed(state.points, event.peer, (point) => registered(state, event, point, now, effects)) }
    case 'registration-failed':
      return { ...state, points: changed(state.points, event.peer, (point) => (point.state === 'requested' ? expired(point, now) : point)) }
    case 'reachability':
      return { ...state, reachability: event.reachability }
    case 'addresses':
      return withAddress(state, event.hasAddress, effects)
    case 'tick':
      return { ...state, points: new Map([...state.points].map(([peer, point]) => [peer, renewed(peer, point, now, effects)])) }
  }
}

function meet(state: Helpers, { peer, isRelay, isPoint, configured }: Extract<HelperEvent, { type: 'met' }>): Helpers {
  const here = { configured, connected: true, failures: 0 }
  const add = <Kind extends Helper>(all: ReadonlyMap<string, Kind>, is: boolean, made: Kind): ReadonlyMap<string, Kind> => {
    if (all.has(peer)) return changed(all, peer, (known) => ({ ...known, connected: true, configured }))
    if (!is) return all
    const roomy = withRoom(all)
    return configured || roomy.size < MAX_HELPERS ? new Map([...roomy, [peer, made]]) : all
  }
  return {
    ...state,
    relays: add<Relay>(state.relays, isRelay, { ...here, state: 'discovered' }),
    points: add<Point>(state.points, isPoint, { ...here, askedAt: undefined, state: 'discovered' }),
  }
}

/** Without the first that is of no use now, when there is room for no other. */
function withRoom<Kind extends Helper>(all: ReadonlyMap<string, Kind>): ReadonlyMap<string, Kind> {
  if (all.size < MAX_HELPERS) return all
  const useless = [...all].find(([, { connected, configured }]) => !connected && !configured)?.[0]
  return new Map([...all].filter(([peer]) => peer !== useless))
}

function withAddress(state: Helpers, hasAddress: boolean, effects: HelperEffect[]): Helpers {
  const points = new Map<string, Point>()
  for (const [peer, point] of state.points) {
    points.set(peer, point)
    if (point.state === 'requested') points.set(peer, { ...point, isStale: true })
    if (point.state !== 'registered') continue
    if (hasAddress) {
      effects.push({ type: 'register', peer })
      points.set(peer, { ...point, state: 'requested', isStale: false })
    } else {
      effects.push({ type: 'unregister', peer })
      points.set(peer, { ...point, state: 'pending' })
    }
  }
  return { ...state, hasAddress, points }
}

function registered(
  { hasAddress }: Helpers,
  { peer, until }: Extract<HelperEvent, { type: 'registered' }>,
  point: Point,
  now: number,
  effects: HelperEffect[],
): Point {
  if (point.state !== 'requested') return point
  if (!hasAddress) {
    // The last one went while the point was asked.
    effects.push({ type: 'unregister', peer })
    return { ...point, state: 'pending' }
  }
  // At once due: what it was told is not right any more.
  const renewAt = point.isStale ? now : Math.max(until - RENEW_BEFORE_MS, now + (until - now) / 2)
  return renewed(peer, { ...point, failures: 0, state: 'registered', until, renewAt }, now, effects)
}

/** A renewal keeps its slot. */
function renewed(peer: string, point: Point, now: number, effects: HelperEffect[]): Point {
  if (point.state !== 'registered') return point
  if (now >= point.until) return { ...point, state: 'expired', retryAt: now }
  if (now < point.renewAt || !point.connected) return point
  effects.push({ type: 'register', peer })
  return { ...point, state: 'requested', isStale: false }
}

function accepted(relay: Relay): Relay {
  return relay.state === 'requested' ? { ...helper(relay), failures: 0, state: 'accepted' } : relay
}

function expired(point: Point, now: number): Point {
  return { ...point, failures: point.failures + 1, state: 'expired', retryAt: now + pause(point.failures) }
}

function lost(relay: Relay, now: number): Relay {
  return { ...relay, failures: relay.failures + 1, state: 'expired', retryAt: now + pause(relay.failures) }
}

const pause = (failures: number): number => Math.min(RETRY_MS * 2 ** failures, MAX_RETRY_MS)

function nominate(state: Helpers, now: number, effects: HelperEffect[]): Step {
  const relays = new Map(state.relays)
  for (const [peer, relay] of inTurn(relays, now, MAX_RESERVATIONS)) {
    if (!relay.configured && state.reachability !== 'unreachable') continue
    if (count(relays) >= MAX_RESERVATIONS) break
    relays.set(peer, { ...helper(relay), state: 'requested' })
    effects.push({ type: 'reserve', peer })
  }

  const points = new Map(state.points)
  for (const [peer, point] of points) {
    if (!state.hasAddress && point.state === 'discovered') points.set(peer, { ...point, state: 'pending' })
    if (point.connected && (point.askedAt === undefined || now - point.askedAt >= DISCOVER_EVERY_MS)) {
      points.set(peer, { ...(points.get(peer) ?? point), askedAt: now })
      effects.push({ type: 'discover', peer })
    }
  }
  if (state.hasAddress)
    for (const [peer, point] of inTurn(points, now, MAX_REGISTRATIONS)) {
      if (count(points) >= MAX_REGISTRATIONS) break
      points.set(peer, { ...helper(point), askedAt: point.askedAt, state: 'requested', isStale: false })
      effects.push({ type: 'register', peer })
    }
  return { state: { ...state, relays, points }, effects }
}

/** Those that may be asked now, in the order in which they are. */
function inTurn<Kind extends Relay | Point>(all: ReadonlyMap<string, Kind>, now: number, slots: number): [string, Kind][] {
  if (count(all) >= slots) return []
  return [...all]
    .filter(([, each]) => each.connected && !isUsed(each) && (each.state !== 'expired' || now >= each.retryAt))
    .sort(([, one], [, other]) => rank(one) - rank(other))
}

const rank = (each: Relay | Point): number => (each.configured ? 0 : 2) + (each.state === 'expired' ? 1 : 0)

function isUsed({ state }: Relay | Point): boolean {
  return state === 'requested' || state === 'accepted' || state === 'registered'
}

const count = (all: ReadonlyMap<string, Relay | Point>): number => [...all.values()].filter(isUsed).length

function helper({ configured, connected, failures }: Helper): Helper {
  return { configured, connected, failures }
}

function changed<Kind>(all: ReadonlyMap<string, Kind>, peer: string, change: (kind: Kind) => Kind): ReadonlyMap<string, Kind> {
  const before = all.get(peer)
  return before === undefined ? all : new Map(all).set(peer, change(before))
}
