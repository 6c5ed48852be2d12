/** Every way through a session, against a simple model of what must hold. */
import { VISIBILITIES } from '@footbridge/shared/wire/announce-frame'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Grant, Session, SessionEvent } from './session.ts'
import { next } from './session-transition.ts'

const grant: Grant = {
  peer: 'alice',
  tokenId: 't_1',
  tokenLabel: 'Alice',
  guest: false,
  name: 'Alice',
  expiresAt: 1_000,
  maxReservations: null,
  maxCircuits: null,
  circuitsPerMinute: null,
  bytesPerDay: null,
  bytesPerSecond: null,
}

const events: fc.Arbitrary<SessionEvent> = fc.oneof(
  fc.record({
    type: fc.constant('admitted' as const),
    grant: fc.integer({ min: 0, max: 5_000 }).map((expiresAt) => ({ ...grant, expiresAt })),
  }),
  fc.record({
    type: fc.constant('limits' as const),
    limits: fc.record({
      maxReservations: fc.constant(null),
      maxCircuits: fc.option(fc.nat(3)),
      circuitsPerMinute: fc.constant(null),
      bytesPerDay: fc.constant(null),
      bytesPerSecond: fc.option(fc.nat(3)),
    }),
  }),
  fc.record({ type: fc.constant('connections' as const), count: fc.nat(3) }),
  fc.constant({ type: 'reserved' as const }),
  fc.constant({ type: 'unreserved' as const }),
  fc.record({
    type: fc.constant('profile' as const),
    profile: fc.record({ name: fc.string({ maxLength: 5 }), device: fc.constantFrom('browser' as const, 'phone' as const) }),
  }),
  fc.record({ type: fc.constant('visibility' as const), visibility: fc.constantFrom(...VISIBILITIES) }),
  fc.constant({ type: 'tick' as const }),
  fc.record({ type: fc.constant('ended' as const), reason: fc.constantFrom('logout' as const, 'revoked' as const) }),
)

interface Step {
  readonly event: SessionEvent
  readonly now: number
  readonly before: Session | undefined
  readonly after: Session | undefined
}

function walk(list: readonly { event: SessionEvent; elapsed: number }[]): Step[] {
  const steps: Step[] = []
  let session: Session | undefined
  let now = 0
  for (const { event, elapsed } of list) {
    now += elapsed
    const after = next(session, event, now)
    steps.push({ event, now, before: session, after })
    session = after
  }
  return steps
}

const walks = fc.array(fc.record({ event: events, elapsed: fc.nat(700) }), { maxLength: 40 }).map(walk)
const holds = (check: (step: Step) => void): void => {
  fc.assert(
    fc.property(walks, (steps) => {
      steps.forEach(check)
    }),
    { numRuns: 500 },
  )
}
const isLive = (session: Session | undefined): boolean => session !== undefined && session.state !== 'ended'

describe('a session', () => {
  it('begins with a login and with nothing else', () => {
    holds(({ event, before, after }) => {
      if (!isLive(before) && isLive(after)) expect(event.type).toBe('admitted')
    })
  })

  it('is reachable only with a connection and a reservation', () => {
    holds(({ event, before, after }) => {
      if (after?.state === 'reachable') expect(after.connections).toBeGreaterThan(0)
      if (after?.state === 'reachable' && before?.state !== 'reachable')
        expect([event.type, before?.state]).toEqual(['reserved', 'connected'])
    })
  })

  it('loses its reservation with its last connection', () => {
    holds(({ event, before, after }) => {
      if (isLive(before) && event.type === 'connections' && event.count === 0) expect(after?.state).toBe('admitted')
    })
  })

  it('ends for good, with a reason', () => {
    holds(({ event, before, after }) => {
      if (before?.state === 'ended' && event.type !== 'admitted') expect(after).toBe(before)
      if (isLive(before) && event.type === 'ended') expect(after).toMatchObject({ state: 'ended', reason: event.reason })
    })
  })

  it('expires at its time and not before, and nothing but a login prolongs it', () => {
    holds(({ event, now, before, after }) => {
      if (!isLive(before)) return
      if (event.type === 'tick') expect(after?.state === 'ended').toBe(before!.grant.expiresAt <= now)
      if (event.type !== 'admitted') expect(after!.grant.expiresAt).toBe(before!.grant.expiresAt)
    })
  })

  it('dates a state from when it was entered', () => {
    holds(({ now, before, after }) => {
      if (after === undefined) return
      expect(after.since).toBe(before !== undefined && before.state === after.state ? before.since : now)
    })
  })

  it('uses changed limits from then on, and changes nothing else by them', () => {
    holds(({ event, before, after }) => {
      if (!isLive(before) || event.type !== 'limits') return
      expect(after).toEqual({ ...before, grant: { ...before!.grant, ...event.limits } })
    })
  })

  it('is found by the sessions of its bridge until it says otherwise, and is believed until it ends', () => {
    holds(({ event, before, after }) => {
      if (!isLive(after)) return
      const { visibility } = after as { visibility: unknown }
      if (event.type === 'visibility') expect(visibility).toBe(event.visibility)
      else expect(visibility).toBe(isLive(before) ? (before as { visibility: unknown }).visibility : 'bridge')
    })
    const hidden = next(undefined, { type: 'admitted', grant: { ...grant, visibility: 'nobody' } }, 0)
    expect(hidden).toMatchObject({ visibility: 'nobody' })
    expect(next(hidden, { type: 'admitted', grant }, 1)).toMatchObject({ visibility: 'nobody' })
    expect(next(hidden, { type: 'admitted', grant: { ...grant, visibility: 'network' } }, 1)).toMatchObject({ visibility: 'network' })
  })

  it('gives the same object back when nothing changes', () => {
    holds(({ event, before, after }) => {
      if (event.type !== 'admitted' && event.type !== 'limits' && JSON.stringify(before) === JSON.stringify(after))
        expect(after).toBe(before)
    })
  })

  it('keeps a name given since, when a renewal brings none of its own', () => {
    const named = next(next(undefined, { type: 'admitted', grant }, 0), { type: 'profile', profile: { name: 'Al', device: 'phone' } }, 1)
    expect(next(named, { type: 'admitted', grant: { ...grant, expiresAt: 9 } }, 2)).toMatchObject({
      name: 'Al',
      device: 'phone',
      grant: { expiresAt: 9 },
    })
    expect(next(named, { type: 'admitted', grant: { ...grant, name: 'Alicia' } }, 2)).toMatchObject({ name: 'Alicia' })
  })
})
