import type { AnnouncePlace } from '@footbridge/shared/wire/announce-frame'
import { expect, test } from 'vitest'
import { choices, placeLines } from './findable.ts'

const row = (place: AnnouncePlace['place'], state: AnnouncePlace['state']): AnnouncePlace => ({ place, state, names: ['a name'] })

test('each choice has a title and says what it means', () => {
  expect(choices().map(({ value }) => value)).toEqual(['nobody', 'bridge', 'network'])
  expect(new Set(choices().flatMap(({ title, note }) => [title, note])).size).toBe(6)
})

test('a place that is off, or that this app does not know, is no line', () => {
  expect(placeLines([row('mdns', 'off'), row('other', 'announced'), row('kademlia', 'other')])).toEqual([])
})

test('a line says where, how it stands, and under which names', () => {
  const lines = placeLines([row('presence', 'announced'), row('mdns', 'full'), row('rendezvous', 'ready'), row('pubsub', 'ready')])
  expect(lines.map(({ place, mark }) => [place, mark])).toEqual([
    ['presence', 'good'],
    ['mdns', 'bad'],
    ['rendezvous', 'waiting'],
    ['pubsub', 'waiting'],
  ])
  expect(new Set(lines.map(({ state }) => state)).size).toBe(4)
  expect(lines[1]?.names).toEqual(['a name'])
})
