/** Every way through an announcement, against what must hold. */
import { VISIBILITIES } from '@footbridge/shared/wire/announce-frame'
import { multiaddr } from '@multiformats/multiaddr'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OUTDATED_RECORD_MS } from '../limits.ts'
import { decide, QUIET, type Announcement, type AnnouncementEvent, type Carried, type Outcome } from './announcement.ts'

const BRIDGE = '12D3KooWGzBTkvHqLgVHWXsQzzYVrRBkbGj7WJ3xxqkfnyBVsZPD'
const address = (port: number): string => `/ip4/192.0.2.1/tcp/${port}/p2p/${BRIDGE}/p2p-circuit`
const record = (seq: number, ports: readonly number[]): Carried => ({
  peer: 'alice',
  seq,
  envelope: new Uint8Array(),
  legacy: new Uint8Array(),
  addresses: ports.map((port) => multiaddr(address(port))),
})

const ports = fc.subarray([1, 2, 3])
const own = ports.map((list) => list.map(address))
const events: fc.Arbitrary<AnnouncementEvent> = fc.oneof(
  fc.record({ type: fc.constant('visible' as const), visibility: fc.constantFrom(...VISIBILITIES, 'network' as const), own }),
  fc.record({
    type: fc.constant('record' as const),
    carried: fc.tuple(fc.integer({ min: 1, max: 6 }), ports).map(([seq, of]) => record(seq, of)),
  }),
  fc.record({ type: fc.constant('own' as const), own }),
  fc.constant({ type: 'tick' as const }),
)

interface Step extends Outcome {
  readonly event: AnnouncementEvent
  readonly now: number
  readonly before: Announcement
}

const walks = fc.array(fc.record({ event: events, elapsed: fc.nat(OUTDATED_RECORD_MS) }), { maxLength: 30 }).map((list) => {
  const steps: Step[] = []
  let before = QUIET
  let now = 0
  for (const { event, elapsed } of list) {
    now += elapsed
    const outcome = decide(before, event, now)
    steps.push({ ...outcome, event, now, before })
    before = outcome.next
  }
  return steps
})
const holds = (check: (step: Step, earlier: readonly Step[]) => void): void => {
  fc.assert(
    fc.property(walks, (steps) => steps.forEach((step, index) => check(step, steps.slice(0, index)))),
    { numRuns: 1_000 },
  )
}

describe('an announcement', () => {
  it('carries only for a device whose last word was network', () => {
    holds(({ next, event }, earlier) => {
      const choices = [...earlier.map((step) => step.event), event].flatMap((each) => (each.type === 'visible' ? [each.visibility] : []))
      expect(next.state === 'quiet').toBe(choices.at(-1) !== 'network')
    })
  })

  it('carries nothing with an address that was not asked for, and nothing without one', () => {
    holds(({ event, before, next, refused }) => {
      if (event.type !== 'record' || refused !== undefined || next.state !== 'carried') return
      const texts = event.carried.addresses.map(String)
      expect(texts).not.toEqual([])
      expect(before.asked).toEqual(expect.arrayContaining(texts))
    })
  })

  it('takes a record only with a number above every one before, over every change of mind', () => {
    holds(({ event, before, next, refused }, earlier) => {
      expect(next.seq).toBeGreaterThanOrEqual(before.seq)
      if (event.type !== 'record' || refused !== undefined) return
      for (const step of earlier)
        if (step.event.type === 'record' && step.refused === undefined) expect(event.carried.seq).toBeGreaterThan(step.event.carried.seq)
    })
  })

  it('changes nothing by a record that it refuses, and says why', () => {
    holds(({ event, before, next, refused }) => {
      if (event.type !== 'record') return expect(refused).toBeUndefined()
      if (refused !== undefined) expect(next).toBe(before)
      if (before.state === 'quiet') expect(refused).toBe('unasked')
    })
  })

  it('asks when a device begins to want it, when our addresses change, and when it gives up an outdated record', () => {
    holds(({ event, before, next, ask }) => {
      const changed = event.type === 'own' && before.asked.join() !== event.own.join()
      const gaveUp = before.state === 'carried' && next.state === 'waiting'
      const asked = (event.type === 'visible' && event.visibility === 'network') || (before.state !== 'quiet' && changed) || gaveUp
      expect(ask === true).toBe(asked)
    })
  })

  it('keeps a record whose addresses are no longer ours for a while, and no longer', () => {
    holds(({ event, now, before, next }) => {
      if (next.state !== 'carried') return
      const fits = next.carried.addresses.every((each) => next.asked.includes(each.toString()))
      expect(next.outdatedAt === undefined).toBe(fits)
      if (event.type === 'tick' && before.state === 'carried' && before.outdatedAt !== undefined)
        expect(now - before.outdatedAt).toBeLessThan(OUTDATED_RECORD_MS)
    })
  })

  it('gives the same back when nothing changes', () => {
    holds(({ event, before, next, ask }) => {
      if (event.type === 'tick' && ask === undefined) expect(next).toBe(before)
    })
  })
})
