import type { Message } from '@footbridge/client/api'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { flowOf } from './flow.ts'
import { linkify } from './linkify.ts'

const NOON = new Date(2026, 10, 21, 12).getTime()
let serial = 0
const message = (direction: Message['direction'], at: number): Message => ({
  id: `m${serial++}`,
  peer: 'bob',
  direction,
  at,
  body: { kind: 'text', text: 'hello' },
  status: 'delivered',
})

test('consecutive messages of one side make one group under the day', () => {
  const flow = flowOf([message('in', NOON), message('in', NOON + 1000), message('out', NOON + 2000)], [])
  expect(flow.map((item) => item.kind)).toEqual(['day', 'group', 'group'])
  expect(flow[1]).toMatchObject({ direction: 'in', messages: { length: 2 } })
})

test('a long pause, and midnight, begin a new group', () => {
  const flow = flowOf([message('in', NOON), message('in', NOON + 6 * 60_000), message('in', NOON + 13 * 3_600_000)], [])
  expect(flow.map((item) => item.kind)).toEqual(['day', 'group', 'group', 'day', 'group'])
})

test('a change of path stands between the messages it happened between', () => {
  const flow = flowOf(
    [message('in', NOON), message('in', NOON + 3000)],
    [
      { at: NOON + 1000, text: 'now direct, 12 ms' },
      { at: NOON + 9000, text: 'now relayed' },
    ],
  )
  expect(flow.map((item) => item.kind)).toEqual(['day', 'group', 'note', 'group', 'note'])
})

test('every message is drawn once, in order, under unique keys, whatever the clocks say', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ out: fc.boolean(), at: fc.integer({ min: 0, max: 4e12 }) })), (rows) => {
      const messages = rows.map(({ out, at }) => message(out ? 'out' : 'in', at))
      const flow = flowOf(messages, [])
      expect(flow.flatMap((item) => (item.kind === 'group' ? item.messages : []))).toEqual(messages)
      expect(new Set(flow.map((item) => item.key)).size).toBe(flow.length)
    }),
  )
})

test('web addresses are cut out without the punctuation that closes the sentence', () => {
  expect(linkify('see https://example.org/a?b=c, then')).toEqual([
    { text: 'see ' },
    { text: 'https://example.org/a?b=c', href: 'https://example.org/a?b=c' },
    { text: ', then' },
  ])
})

test('nothing but http and https becomes a link', () => {
  expect(linkify('javascript:alert(1) data:text/html,x')).toEqual([{ text: 'javascript:alert(1) data:text/html,x' }])
})

test('the parts of a text are the text', () => {
  fc.assert(
    fc.property(
      fc.string(),
      (text) =>
        linkify(text)
          .map((part) => part.text)
          .join('') === text,
    ),
  )
})
