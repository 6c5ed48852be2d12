import type { RoomBody, RoomMessage } from '@footbridge/client/rooms/room'
import { expect, test } from 'vitest'
import { roomFlowOf } from './room-flow.ts'

const NOON = new Date(2026, 10, 28, 12).getTime()
const MINUTE = 60_000
let serial = 0

function said(from: string, at: number, body: RoomBody = { kind: 'text', text: 'words' }): RoomMessage {
  return { id: `m${serial++}`, room: 'harbour', from, own: from === 'me', at, body, status: 'sent' }
}

const shape = (messages: readonly RoomMessage[]): string[] =>
  roomFlowOf(messages).map((item) => (item.kind === 'group' ? `${item.from} ${item.messages.length}` : item.kind))

test('consecutive messages of one sender stand together', () => {
  expect(shape([said('alice', NOON), said('alice', NOON + MINUTE), said('bob', NOON + MINUTE), said('alice', NOON + MINUTE)])).toEqual([
    'day',
    'alice 2',
    'bob 1',
    'alice 1',
  ])
})

test('messages far apart, or of two days, do not', () => {
  expect(shape([said('alice', NOON), said('alice', NOON + 6 * MINUTE), said('alice', NOON + 13 * 60 * MINUTE)])).toEqual([
    'day',
    'alice 1',
    'alice 1',
    'day',
    'alice 1',
  ])
})

test('a time that was not heard stands between, with its end', () => {
  const items = roomFlowOf([
    said('alice', NOON),
    said('', NOON + MINUTE, { kind: 'gap', until: NOON + 3 * MINUTE }),
    said('alice', NOON + 4 * MINUTE),
  ])
  expect(items.map(({ kind }) => kind)).toEqual(['day', 'group', 'gap', 'group'])
  expect(items[2]).toMatchObject({ from: NOON + MINUTE, until: NOON + 3 * MINUTE })
})
