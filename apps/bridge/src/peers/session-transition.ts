/**
 * How a session changes: pure, total and without effects, so that a model test can walk every way through it. States: session.ts.
 *
 * Invariants: `ended` never changes again, except that a login begins anew; only a session with connections is reachable; nothing but a login prolongs a
 * session; a state's `since` is when it was entered.
 */
import { DEFAULT_VISIBILITY } from '@footbridge/shared/wire/announce-frame'
import type { Session, SessionEvent } from './session.ts'

/** @returns the very same object when nothing changes. Undefined is "no session". */
export function next(session: Session | undefined, event: SessionEvent, now: number): Session | undefined {
  if (session === undefined || session.state === 'ended') return event.type === 'admitted' ? admitted(event.grant, now) : session
  switch (event.type) {
    case 'admitted':
      // A name given since by hello outlives a renewal that brings none.
      return {
        ...session,
        grant: event.grant,
        name: event.grant.name === session.grant.name ? session.name : event.grant.name,
        visibility: event.grant.visibility ?? session.visibility,
      }
    case 'limits':
      return { ...session, grant: { ...session.grant, ...event.limits } }
    case 'connections':
      return withConnections(session, event.count, now)
    case 'reserved':
      return session.state === 'connected' ? { ...session, state: 'reachable', since: now } : session
    case 'unreserved':
      return session.state === 'reachable' ? { ...session, state: 'connected', since: now } : session
    case 'profile': {
      const { name, device } = event.profile
      return name === session.name && device === session.device ? session : { ...session, name, device }
    }
    case 'visibility':
      return event.visibility === session.visibility ? session : { ...session, visibility: event.visibility }
    case 'tick':
      return session.grant.expiresAt <= now ? { state: 'ended', grant: session.grant, since: now, reason: 'expired' } : session
    case 'ended':
      return { state: 'ended', grant: session.grant, since: now, reason: event.reason }
  }
}

function admitted(grant: Grant, now: number): Session {
  return { state: 'admitted', grant, since: now, name: grant.name, device: 'browser', visibility: grant.visibility ?? DEFAULT_VISIBILITY }
}

type LiveSession = Exclude<Session, { state: 'ended' }>
type Grant = Session['grant']

function withConnections(session: LiveSession, connections: number, now: number): Session {
  const { grant, name, device, visibility } = session
  if (connections === 0) return session.state === 'admitted' ? session : { state: 'admitted', grant, name, device, visibility, since: now }
  if (session.state === 'admitted') return { state: 'connected', grant, name, device, visibility, since: now, connections }
  return session.connections === connections ? session : { ...session, connections }
}
