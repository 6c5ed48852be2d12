/** The reservation book by example, and against a model that keeps a plain list. */
import type { PeerId } from '@libp2p/interface'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createReservations, type Reservations } from './reservations.ts'
import { UNLIMITED, type Scope } from './scopes.ts'

/** The book asks a PeerID only for its name. */
const peer = (name: string): PeerId => ({ toString: () => name }) as unknown as PeerId
const scope = (kind: Scope['kind'], id: string, reservations: number | null): Scope => ({
  kind,
  id,
  key: `${kind}:${id}`,
  limits: { ...UNLIMITED, reservations },
  peers: [],
})

function open(max = 100) {
  const time = { now: 0 }
  const log: string[] = []
  const counted: Record<string, number> = {}
  const book: Reservations = createReservations({
    max,
    now: () => time.now,
    events: { reserved: (each) => log.push(`+${each.toString()}`), unreserved: (each) => log.push(`-${each.toString()}`) },
    changed: (scopes, by) => {
      for (const { key } of scopes) counted[key] = (counted[key] ?? 0) + by
    },
    expired: (scopes) => log.push(`expired for ${scopes.map(({ key }) => key).join()}`),
  })
  return { time, log, counted, book }
}

describe('the reservation book', () => {
  it('has one for a peer, renewed by asking again, ended by its time', () => {
    const { book, time, log } = open()
    const bridge = [scope('bridge', '', null)]
    expect(book.reserve(peer('alice'), 100, bridge).state).toBe('made')
    time.now = 50
    expect(book.reserve(peer('alice'), 150, bridge).state).toBe('renewed')
    time.now = 149
    expect(book.has(peer('alice'))).toBe(true)
    time.now = 150
    expect(book.has(peer('alice'))).toBe(false)
    book.sweep()
    book.sweep()
    expect([log, book.size, book.count('bridge:')]).toEqual([['+alice', '+alice', '-alice', 'expired for bridge:'], 0, 0])
  })

  it.each(['token', 'address', 'bridge'] as const)('gives as many as the %s may have, and one again when one has ended', (kind) => {
    const { book } = open()
    const scopes = [scope(kind, 'x', 2), scope('bridge', '', null)].filter((each, index) => index === 0 || each.kind !== kind)
    const ask = (name: string): string => book.reserve(peer(name), 100, scopes).state
    expect(['alice', 'bob', 'charlie'].map(ask)).toEqual(['made', 'made', 'full'])
    expect(book.has(peer('charlie'))).toBe(false)
    expect(ask('alice')).toBe('renewed')
    book.release(peer('bob'))
    book.release(peer('bob'))
    expect(['charlie', 'bob'].map(ask)).toEqual(['made', 'full'])
  })

  it('keeps the old one as it is when a renewal does not fit where the device is now', () => {
    const { book } = open()
    const home = scope('address', 'home', null)
    const cafe = scope('address', 'café', 1)
    book.reserve(peer('bob'), 100, [cafe])
    book.reserve(peer('alice'), 100, [home])
    expect(book.reserve(peer('alice'), 200, [cafe])).toEqual({ state: 'full', scope: cafe })
    expect([book.has(peer('alice')), book.count(home.key), book.count(cafe.key)]).toEqual([true, 1, 1])
    book.release(peer('bob'))
    expect(book.reserve(peer('alice'), 200, [cafe]).state).toBe('renewed')
    expect([book.count(home.key), book.count(cafe.key)]).toEqual([0, 1])
  })

  it('holds no more than its ceiling, whatever the scopes allow', () => {
    const { book } = open(1)
    const bridge = scope('bridge', '', null)
    book.reserve(peer('alice'), 100, [bridge])
    expect(book.reserve(peer('bob'), 100, [bridge])).toEqual({ state: 'full', scope: bridge })
    expect(book.reserve(peer('alice'), 100, [bridge]).state).toBe('renewed')
  })

  it('has nothing left of ten thousand that came and went', () => {
    const { book, counted } = open(10_000)
    for (let index = 0; index < 10_000; index++) {
      const each = peer(`peer ${index}`)
      expect(book.reserve(each, 100, [scope('token', `t_${index % 50}`, null), scope('bridge', '', null)]).state).toBe('made')
      if (index % 3 > 0) book.release(each)
    }
    for (let index = 0; index < 10_000; index += 3) book.release(peer(`peer ${index}`))
    expect([book.size, book.count('bridge:'), Object.values(counted).every((count) => count === 0)]).toEqual([0, 0, true])
  })

  it('agrees with a plain list, for any order of asking, moving, leaving and time passing', () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    const limit = { token: { t1: 2, t2: null }, address: { n1: 2, n2: 1 } } as const
    const step = fc.oneof(
      fc.record({
        ask: fc.constantFrom(...names),
        token: fc.constantFrom('t1', 't2' as const),
        network: fc.constantFrom('n1', 'n2', 'loopback' as const),
        life: fc.integer({ min: 1, max: 20 }),
      }),
      fc.record({ leave: fc.constantFrom(...names) }),
      fc.record({ pass: fc.nat(10) }),
      fc.constant({ sweep: true as const }),
    )
    interface Row {
      readonly name: string
      readonly keys: readonly string[]
      readonly until: number
    }
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { book, time, log, counted } = open(4)
        let rows: Row[] = []
        for (const each of steps) {
          if ('ask' in each) {
            const scopes = [
              scope('token', each.token, limit.token[each.token as 't1']),
              ...(each.network === 'loopback' ? [] : [scope('address', each.network, limit.address[each.network as 'n1'])]),
              scope('bridge', '', null),
            ]
            const others = rows.filter(({ name }) => name !== each.ask)
            const isKnown = others.length < rows.length
            const fits =
              (isKnown || rows.length < 4) &&
              scopes.every(
                ({ key, limits }) =>
                  limits.reservations === null || others.filter(({ keys }) => keys.includes(key)).length < limits.reservations,
              )
            const answer = book.reserve(peer(each.ask), time.now + each.life, scopes)
            expect(answer.state).toBe(fits ? (isKnown ? 'renewed' : 'made') : 'full')
            if (fits) rows = [...others, { name: each.ask, keys: scopes.map(({ key }) => key), until: time.now + each.life }]
          } else if ('leave' in each) {
            book.release(peer(each.leave))
            rows = rows.filter(({ name }) => name !== each.leave)
          } else if ('pass' in each) time.now += each.pass
          else {
            book.sweep()
            rows = rows.filter(({ until }) => until > time.now)
          }
          expect(book.size).toBe(rows.length)
          for (const name of names) expect(book.has(peer(name))).toBe(rows.some((row) => row.name === name && row.until > time.now))
          for (const key of ['token:t1', 'token:t2', 'address:n1', 'address:n2', 'bridge:']) {
            const expected = rows.filter(({ keys }) => keys.includes(key)).length
            expect([book.count(key), counted[key] ?? 0]).toEqual([expected, expected])
          }
        }
        // Whoever was told that somebody came is told that they went, and not twice.
        for (const { name } of rows) book.release(peer(name))
        for (const name of names) {
          const told = log.filter((line) => line.slice(1) === name).map((line) => line[0])
          expect(told.at(-1) ?? '-').toBe('-')
          expect(told.join('')).not.toContain('--')
        }
      }),
      { numRuns: 500 },
    )
  })
})
