import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRateBook, type RateClaim } from './rate-book.ts'

const claim = (key: string, perSecond: number, burst: number): RateClaim => ({ key, perSecond, burst })

function open() {
  const time = { now: 1_000 }
  return { time, book: createRateBook({ now: () => time.now }) }
}

describe('the book of rates', () => {
  it('lets the burst through, then says how long to wait for the next', () => {
    const { book, time } = open()
    const alice = [claim('alice', 2, 3)]
    expect([1, 2, 3].map(() => book.take(alice, 1).state)).toEqual(['taken', 'taken', 'taken'])
    expect(book.take(alice, 1)).toEqual({ state: 'short', claim: alice[0], waitMs: 500 })
    time.now += 499
    expect(book.take(alice, 1)).toMatchObject({ state: 'short', waitMs: 1 })
    time.now += 1
    expect(book.take(alice, 1).state).toBe('taken')
    expect(book.take(alice, 1).state).toBe('short')
  })

  it('takes from every scope or from none, and names the one that takes longest', () => {
    const { book } = open()
    const bridge = claim('bridge', 10, 5)
    expect(book.take([bridge, claim('alice', 1, 1)], 1).state).toBe('taken')
    expect(book.take([bridge, claim('alice', 1, 1)], 1)).toMatchObject({ state: 'short', claim: { key: 'alice' }, waitMs: 1_000 })
    // Four of five are left in the bridge's bucket.
    expect(book.take([bridge], 4).state).toBe('taken')
    expect(book.take([bridge], 1).state).toBe('short')
  })

  it('goes into debt for what is in hand, and says whose it is', () => {
    const { book, time } = open()
    const both = [claim('alice', 1_000, 500), claim('bridge', 10_000, 500)]
    expect(book.draw(both, 750)).toEqual({ waitMs: 250, claim: both[0] })
    time.now += 100
    expect(book.draw(both, 0)).toEqual({ waitMs: 150, claim: both[0] })
    time.now += 150
    expect(book.draw(both, 0)).toEqual({ waitMs: 0, claim: undefined })
  })

  it('uses a changed rate from then on', () => {
    const { book } = open()
    book.draw([claim('alice', 100, 100)], 1_100)
    expect(book.draw([claim('alice', 1_000, 100)], 0)).toMatchObject({ waitMs: 1_000 })
    expect(book.draw([claim('alice', 100, 100)], 0)).toMatchObject({ waitMs: 10_000 })
  })

  it('gives nothing for a clock that was set back', () => {
    const { book, time } = open()
    book.take([claim('alice', 1, 1)], 1)
    time.now -= 60_000
    expect(book.take([claim('alice', 1, 1)], 1).state).toBe('short')
    time.now += 1_000
    expect(book.take([claim('alice', 1, 1)], 1).state).toBe('taken')
  })

  it('forgets full buckets, which changes no answer', () => {
    const { book, time } = open()
    book.take([claim('alice', 1, 2)], 2)
    book.sweep()
    expect(book.size).toBe(1)
    time.now += 2_000
    book.sweep()
    expect(book.size).toBe(0)
    book.draw([claim('alice', 1, 2)], 1)
    book.giveBack([claim('alice', 1, 2)], 5)
    book.sweep()
    expect(book.size).toBe(0)
  })

  it('never takes more than the burst and the rate over time, in any scope', () => {
    const ask = fc.record({
      scopes: fc.subarray(['a', 'b', 'c'], { minLength: 1 }),
      amount: fc.integer({ min: 1, max: 5 }),
      idleMs: fc.nat(400),
    })
    fc.assert(
      fc.property(fc.array(ask, { maxLength: 80 }), (asks) => {
        const { book, time } = open()
        const taken: Record<string, number> = {}
        for (const { scopes, amount, idleMs } of asks) {
          const answer = book.take(
            scopes.map((key) => claim(key, 3, 5)),
            amount,
          )
          if (answer.state === 'taken') for (const key of scopes) taken[key] = (taken[key] ?? 0) + amount
          for (const key of scopes) expect(taken[key] ?? 0).toBeLessThanOrEqual(5 + ((time.now - 1_000) / 1_000) * 3 + 1e-6)
          time.now += idleMs
          book.sweep()
        }
      }),
      { numRuns: 500 },
    )
  })
})
