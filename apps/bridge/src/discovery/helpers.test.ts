/** Who is asked to help, and when: rows of what happens, and every way through against what must hold. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { next, NO_HELPERS, type HelperEffect, type HelperEvent, type Helpers } from './helpers.ts'
import { DISCOVER_EVERY_MS, MAX_REGISTRATIONS, MAX_RESERVATIONS, RETRY_MS } from './limits.ts'

const relay = (peer: string, configured = false): HelperEvent => ({ type: 'met', peer, isRelay: true, isPoint: false, configured })
const point = (peer: string): HelperEvent => ({ type: 'met', peer, isRelay: false, isPoint: true, configured: false })
const unreachable: HelperEvent = { type: 'reachability', reachability: 'unreachable' }
const addresses = (hasAddress = true): HelperEvent => ({ type: 'addresses', hasAddress })

/** @param events each with the time at which it happens; without one, the time before. */
function run(...events: (HelperEvent | number)[]): { state: Helpers; last: readonly HelperEffect[] } {
  let state = NO_HELPERS
  let last: readonly HelperEffect[] = []
  let now = 0
  for (const event of events) {
    if (typeof event === 'number') now = event
    else ({ state, effects: last } = next(state, event, now))
  }
  return { state, last }
}

const isAsk = ({ type }: HelperEffect): boolean => type !== 'discover'
const asked = (effects: readonly HelperEffect[]): string[] => effects.filter(isAsk).map(({ type, peer }) => `${type} ${peer}`)
const reserved = (peer: string): HelperEvent => ({ type: 'reserved', peer })
const registered = (peer: string, until = 7_200_000): HelperEvent => ({ type: 'registered', peer, until })

describe('who helps', () => {
  it.each<[string, (HelperEvent | number)[], string[]]>([
    ['no found relay while it is not known whether we need one', [relay('a')], []],
    ['a found relay once nobody reaches us', [relay('a'), unreachable], ['reserve a']],
    ['three of many at once', [relay('a'), relay('b'), relay('c'), relay('d'), unreachable], ['reserve a', 'reserve b', 'reserve c']],
    [
      'those never asked before one that refused',
      [
        unreachable,
        relay('a'),
        { type: 'reservation-lost', peer: 'a' },
        { type: 'reachability', reachability: 'unknown' },
        relay('b'),
        relay('c'),
        RETRY_MS,
        unreachable,
      ],
      ['reserve b', 'reserve c', 'reserve a'],
    ],
    ['three relays and no fourth', [unreachable, relay('a'), relay('b'), relay('c'), relay('d')], []],
    [
      'a relay of the settings though we can be reached',
      [{ type: 'reachability', reachability: 'reachable' }, relay('a', true)],
      ['reserve a'],
    ],
    ['no relay that has left', [relay('a'), { type: 'left', peer: 'a' }, unreachable], []],
    [
      'one that was never asked in the place of one that is gone',
      [unreachable, relay('a'), relay('b'), relay('c'), relay('d'), reserved('a'), { type: 'left', peer: 'a' }],
      ['reserve d'],
    ],
    [
      'nobody at once when the only one is gone and back',
      [unreachable, relay('a'), reserved('a'), { type: 'left', peer: 'a' }, relay('a')],
      [],
    ],
    [
      'the only one again after a pause',
      [unreachable, relay('a'), { type: 'reservation-lost', peer: 'a' }, RETRY_MS, { type: 'tick' }],
      ['reserve a'],
    ],
    ['no point while we have no address', [point('a')], []],
    ['a point that waited, once we have an address', [point('a'), addresses()], ['register a']],
    ['three points and no fourth', [addresses(), point('a'), point('b'), point('c'), point('d')], []],
    ['every point again when our addresses change', [addresses(), point('a'), registered('a'), addresses()], ['register a']],
    ['a point that was being asked when our addresses changed', [addresses(), point('a'), addresses(), registered('a')], ['register a']],
    ['no point any more when our last address is gone', [addresses(), point('a'), registered('a'), addresses(false)], ['unregister a']],
    ['a point before its registration is over', [addresses(), point('a'), registered('a'), 6_900_000, { type: 'tick' }], ['register a']],
    [
      'another in the place of a point that refuses',
      [addresses(), point('a'), point('b'), point('c'), point('d'), { type: 'registration-failed', peer: 'b' }],
      ['register d'],
    ],
  ])('asks %s', (_, events, expected) => {
    expect(asked(run(...events).last)).toEqual(expected)
  })

  it('asks a point who is there when it is met, and again only after a while', () => {
    const discovers = ({ last }: ReturnType<typeof run>): number => last.filter(({ type }) => type === 'discover').length
    expect(discovers(run(point('a')))).toBe(1)
    expect(discovers(run(point('a'), DISCOVER_EVERY_MS - 1, { type: 'tick' }))).toBe(0)
    expect(discovers(run(point('a'), DISCOVER_EVERY_MS, { type: 'tick' }))).toBe(1)
  })

  it('shows a point as pending while there is no address to tell it', () => {
    expect(run(point('a')).state.points.get('a')?.state).toBe('pending')
    expect(run(addresses(), point('a')).state.points.get('a')?.state).toBe('requested')
  })
})

const peers = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const anyEvent: fc.Arbitrary<HelperEvent> = fc.oneof(
  fc.record({ type: fc.constant('met' as const), peer: peers, isRelay: fc.boolean(), isPoint: fc.boolean(), configured: fc.boolean() }),
  fc.record({
    type: fc.constantFrom('left' as const, 'reserved' as const, 'reservation-lost' as const, 'registration-failed' as const),
    peer: peers,
  }),
  fc.record({ type: fc.constant('registered' as const), peer: peers, until: fc.nat(20_000_000) }),
  fc.record({
    type: fc.constant('reachability' as const),
    reachability: fc.constantFrom('unknown' as const, 'reachable' as const, 'unreachable' as const),
  }),
  fc.record({ type: fc.constant('addresses' as const), hasAddress: fc.boolean() }),
  fc.constant({ type: 'tick' as const }),
)

it('keeps its slots, and asks nobody who is asked already, gone, or of no use', () => {
  const used = (states: Iterable<{ readonly state: string }>): number =>
    [...states].filter(({ state }) => ['requested', 'accepted', 'registered'].includes(state)).length
  fc.assert(
    fc.property(fc.array(fc.record({ event: anyEvent, elapsed: fc.nat(400_000) }), { maxLength: 60 }), (walk) => {
      let state = NO_HELPERS
      let now = 0
      for (const { event, elapsed } of walk) {
        now += elapsed
        const before = state
        const step = next(before, event, now)
        state = step.state
        expect(used(state.relays.values())).toBeLessThanOrEqual(MAX_RESERVATIONS)
        expect(used(state.points.values())).toBeLessThanOrEqual(MAX_REGISTRATIONS)
        for (const { type, peer } of step.effects) {
          if (type === 'reserve') {
            expect(before.relays.get(peer)?.state).not.toBe('requested')
            expect(state.relays.get(peer)).toMatchObject({ state: 'requested', connected: true })
            expect(state.relays.get(peer)?.configured === true || state.reachability === 'unreachable').toBe(true)
          }
          if (type === 'register') {
            expect(state.hasAddress).toBe(true)
            expect(state.points.get(peer)?.state).toBe('requested')
            if (event.type !== 'registered') expect(before.points.get(peer)?.state).not.toBe('requested')
          }
        }
        expect(new Set(step.effects.map(({ type, peer }) => `${type} ${peer}`)).size).toBe(step.effects.length)
      }
    }),
    { numRuns: 500 },
  )
})
