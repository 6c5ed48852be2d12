import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decideTab, MAX_UNANSWERED, type TabEvent, type TabState } from './tab-state.ts'

const after = (events: readonly TabEvent['type'][], from: TabState = { state: 'asking' }): TabState =>
  events.reduce((current, type) => decideTab(current, { type }).next, from)
const ticks = (count: number): TabEvent['type'][] => Array.from({ length: count }, () => 'tick')

test('a leader is asked, and its lock stolen only when it left enough questions unanswered', () => {
  const following = after(['refused'])
  expect(after([...ticks(MAX_UNANSWERED - 1), 'heard', ...ticks(MAX_UNANSWERED)], following).state).toBe('following')
  expect(after([...ticks(MAX_UNANSWERED)], following).state).toBe('stealing')
  expect(after([...ticks(MAX_UNANSWERED), 'heard'], following), 'it answered at the last moment').toEqual({
    state: 'following',
    unanswered: 0,
  })
  expect(after([...ticks(MAX_UNANSWERED), 'heard', 'granted'], following).state, 'the lock is ours all the same').toBe('leading')
})

test('who was stolen from follows, and is in line again', () => {
  const { next, effects } = decideTab(after(['granted']), { type: 'stolen' })
  expect([next.state, effects]).toEqual(['following', ['follow', 'queue', 'ask']])
})

/** A browser with its one lock: the tabs see what it does. A frozen tab sees and does nothing until it thaws. */
class Browser {
  readonly states: TabState[]
  readonly frozen: boolean[]
  readonly pending: TabEvent['type'][][]
  holder: number | undefined
  readonly line: number[] = []

  constructor(count: number) {
    this.states = Array.from({ length: count }, () => ({ state: 'asking' }))
    this.frozen = Array.from({ length: count }, () => false)
    this.pending = Array.from({ length: count }, () => [])
    for (let tab = 0; tab < count; tab++) this.give(tab, this.holder === undefined ? this.grant(tab) : 'refused')
  }

  grant(tab: number): 'granted' {
    this.holder = tab
    return 'granted'
  }

  give(tab: number, type: TabEvent['type']): void {
    if (this.frozen[tab]) return void this.pending[tab]?.push(type)
    const { next, effects } = decideTab(this.states[tab] ?? { state: 'closed' }, { type })
    this.states[tab] = next
    for (const effect of effects) {
      if (effect === 'queue') this.line.push(tab)
      if (effect === 'ask' && this.holder !== undefined && this.states[this.holder]?.state === 'leading' && !this.frozen[this.holder])
        this.give(tab, 'heard')
      if (effect === 'steal') {
        const before = this.holder
        this.grant(tab)
        this.leaveLine(tab)
        this.give(tab, 'granted')
        if (before !== undefined && before !== tab) this.give(before, 'stolen')
      }
      if (effect === 'release') {
        this.leaveLine(tab)
        if (this.holder === tab) this.passOn()
      }
    }
  }

  leaveLine(tab: number): void {
    const place = this.line.indexOf(tab)
    if (place !== -1) this.line.splice(place, 1)
  }

  passOn(): void {
    this.holder = this.line.shift()
    if (this.holder !== undefined) this.give(this.holder, 'granted')
  }

  thaw(tab: number): void {
    this.frozen[tab] = false
    for (const type of this.pending[tab]?.splice(0) ?? []) this.give(tab, type)
  }
}

test('however tabs open, close and freeze: of those awake at most one acts as leader, and soon exactly one', () => {
  const happening = fc.tuple(fc.constantFrom('tick', 'close', 'freeze', 'thaw'), fc.nat(3))
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 80 }), (story) => {
      const browser = new Browser(4)
      for (const [what, tab] of story) {
        if (what === 'freeze') browser.frozen[tab] = browser.states[tab]?.state !== 'closed'
        else if (what === 'thaw') browser.thaw(tab)
        else if (!browser.frozen[tab]) browser.give(tab, what === 'tick' ? 'tick' : 'close')
        const awake = browser.states.filter((state, index) => state.state === 'leading' && !browser.frozen[index])
        expect(awake.length).toBeLessThanOrEqual(1)
        browser.states.forEach((state, index) => {
          if (state.state === 'leading' && !browser.frozen[index]) expect(browser.holder).toBe(index)
        })
      }
      const open = browser.states.flatMap((state, index) => (state.state === 'closed' || browser.frozen[index] ? [] : [index]))
      for (let round = 0; round < 2 * MAX_UNANSWERED; round++) for (const tab of open) browser.give(tab, 'tick')
      expect(open.filter((tab) => browser.states[tab]?.state === 'leading')).toHaveLength(open.length > 0 ? 1 : 0)
    }),
  )
})
