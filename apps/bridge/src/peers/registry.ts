/**
 * The registry of virtual peers: the only place that knows who is here. Facts come in (logins, connections, reservations, profiles, time), the pure
 * transition decides, and whoever subscribed is told. Presence, the relay's policy, the HTTP API and `footbridge peers` all ask this one.
 * Not here: what follows from an end (bridge.ts wires that), and how states follow each other (session-transition.ts).
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import type { Visibility } from '@footbridge/shared/wire/announce-frame'
import type { EndReason, Grant, GrantLimits, Profile, Session, SessionEvent } from './session.ts'
import { next } from './session-transition.ts'

export interface SessionChange {
  readonly peer: string
  readonly before: Session | undefined
  /** Ended sessions are dropped after everybody was told. */
  readonly after: Session
}

export interface Registry {
  /** Makes or renews the peer's session. @throws FootbridgeError `bridge_full`. */
  admit(grant: Grant): void
  end(peer: string, reason: EndReason): void
  endByToken(tokenId: string, reason: EndReason): void
  /** For every session of the token. */
  limitToken(tokenId: string, limits: GrantLimits): void
  endAll(reason: EndReason): void
  get(peer: string): Session | undefined
  /** In the order of their logins. */
  list(): readonly Session[]
  /** @returns ends the subscription. Listeners must not throw. */
  subscribe(listener: (change: SessionChange) => void): () => void
  /** Facts about a peer; those without a session are nobody's business and ignored. */
  connectionsChanged(peer: string): void
  reserved(peer: string): void
  unreserved(peer: string): void
  profile(peer: string, profile: Profile): void
  visibility(peer: string, visibility: Visibility): void
  /** Starts looking for expired sessions. Idempotent, as is stop. */
  start(): void
  stop(): void
}

export interface RegistryDependencies {
  readonly clock: () => number
  /** Open connections that the peer has now. */
  readonly connectionsOf: (peer: string) => number
  readonly maxSessions?: number
  readonly maxListeners?: number
}

/** The virtual peers that one bridge carries (DESIGN.md 7) and as many again that are logged in but away. */
const MAX_SESSIONS = 20_000
/** Presence, effects, and the command line's watchers. */
const MAX_LISTENERS = 64
/** One sweep serves every expiry: a session ends at most this late. */
const SWEEP_MS = 1_000

export function createRegistry(dependencies: RegistryDependencies): Registry {
  const { clock, connectionsOf, maxSessions = MAX_SESSIONS, maxListeners = MAX_LISTENERS } = dependencies
  const sessions = new Map<string, Session>()
  const listeners = new Set<(change: SessionChange) => void>()
  let timer: NodeJS.Timeout | undefined

  const apply = (peer: string, event: SessionEvent): void => {
    const before = sessions.get(peer)
    const after = next(before, event, clock())
    if (after === undefined || after === before) return
    if (after.state === 'ended') sessions.delete(peer)
    else sessions.set(peer, after)
    for (const listener of listeners) listener({ peer, before, after })
  }

  const endWhere = (matches: (session: Session) => boolean, reason: EndReason): void => {
    for (const [peer, session] of sessions) if (matches(session)) apply(peer, { type: 'ended', reason })
  }

  const sweep = (): void => {
    const now = clock()
    for (const [peer, { grant }] of sessions) if (grant.expiresAt <= now) apply(peer, { type: 'tick' })
  }

  return {
    admit(grant) {
      if (!sessions.has(grant.peer) && sessions.size >= maxSessions)
        throw new FootbridgeError('bridge_full', 'the bridge has as many sessions as it may', { details: { retryAfterSeconds: 60 } })
      apply(grant.peer, { type: 'admitted', grant })
      // The device may have connected before it logged in.
      apply(grant.peer, { type: 'connections', count: connectionsOf(grant.peer) })
    },
    end(peer, reason) {
      apply(peer, { type: 'ended', reason })
    },
    endByToken(tokenId, reason) {
      endWhere(({ grant }) => grant.tokenId === tokenId, reason)
    },
    limitToken(tokenId, limits) {
      for (const [peer, { grant }] of sessions) if (grant.tokenId === tokenId) apply(peer, { type: 'limits', limits })
    },
    endAll(reason) {
      endWhere(() => true, reason)
    },
    get: (peer) => sessions.get(peer),
    list: () => [...sessions.values()],
    subscribe(listener) {
      if (listeners.size >= maxListeners) throw new FootbridgeError('bridge_full', 'too many listeners at the registry')
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    connectionsChanged(peer) {
      if (sessions.has(peer)) apply(peer, { type: 'connections', count: connectionsOf(peer) })
    },
    reserved(peer) {
      // The reservation came over a connection; make sure that its fact came first.
      this.connectionsChanged(peer)
      apply(peer, { type: 'reserved' })
    },
    unreserved(peer) {
      apply(peer, { type: 'unreserved' })
    },
    profile(peer, profile) {
      apply(peer, { type: 'profile', profile })
    },
    visibility(peer, visibility) {
      apply(peer, { type: 'visibility', visibility })
    },
    start() {
      timer ??= setInterval(sweep, SWEEP_MS).unref()
    },
    stop() {
      clearInterval(timer)
      timer = undefined
    },
  }
}
