import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCountBook, type Hold } from './count-book.ts'

const claims = (...pairs: [string, number | null][]) => pairs.map(([key, max]) => ({ key, max }))

describe('the book of places', () => {
  it('gives places below and at the limit, and none above it', () => {
    const book = createCountBook()
    const states = [1, 2, 3].map(() => book.take(claims(['alice', 2])).state)
    expect(states).toEqual(['taken', 'taken', 'full'])
  })

  it('takes from every scope or from none, and names the one that is full', () => {
    const book = createCountBook()
    book.take(claims(['bridge', 2], ['alice', 1]))
    expect(book.take(claims(['bridge', 2], ['alice', 1]))).toEqual({ state: 'full', claim: { key: 'alice', max: 1 } })
    expect(book.count('bridge')).toBe(1)
    expect(book.take(claims(['bridge', 2], ['bob', 1])).state).toBe('taken')
    expect(book.take(claims(['bridge', 2], ['charlie', null]))).toMatchObject({ claim: { key: 'bridge' } })
    expect(book.count('charlie')).toBe(0)
  })

  it('takes a place back once, however often it is given', () => {
    const book = createCountBook()
    const first = book.take(claims(['alice', null]))
    book.take(claims(['alice', null]))
    if (first.state === 'taken') for (let count = 0; count < 3; count++) first.hold.release()
    expect(book.count('alice')).toBe(1)
  })

  it('gives a place back at the end of a using block', () => {
    const book = createCountBook()
    const work = (): number => {
      const answer = book.take(claims(['alice', 1]))
      if (answer.state === 'full') return -1
      using _hold = answer.hold
      return book.count('alice')
    }
    expect([work(), work(), book.size]).toEqual([1, 1, 0])
  })

  it('holds what a plain list of who has what says, for any order of taking and giving', () => {
    const scope = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), max: fc.option(fc.nat(3)) })
    const step = fc.oneof(
      fc.record({ take: fc.uniqueArray(scope, { selector: ({ key }) => key, maxLength: 4 }) }),
      fc.record({ give: fc.nat(20) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const book = createCountBook()
        const model: { keys: string[]; hold: Hold }[] = []
        const held = (key: string): number => model.filter(({ keys }) => keys.includes(key)).length
        const given: Hold[] = []
        for (const each of steps) {
          if ('take' in each) {
            const answer = book.take(each.take)
            expect(answer.state).toBe(each.take.every(({ key, max }) => max === null || held(key) < max) ? 'taken' : 'full')
            if (answer.state === 'taken') model.push({ keys: each.take.map(({ key }) => key), hold: answer.hold })
          } else {
            const [gone] = model.splice(each.give, 1)
            gone?.hold.release()
            if (gone !== undefined) given.push(gone.hold)
            given.at(-1)?.release()
          }
          for (const key of ['a', 'b', 'c', 'd']) expect(book.count(key)).toBe(held(key))
        }
        for (const { hold } of model) hold.release()
        expect(book.size).toBe(0)
      }),
      { numRuns: 500 },
    )
  })
})
