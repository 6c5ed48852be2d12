import { expect, test } from 'vitest'
import { reachedWords, servingWords, sourceLines } from './bridge-network.ts'

const relays = (accepted: number) => ({ known: 2, accepted })

test('each way in which a bridge is reached has a sentence of its own, with its name', () => {
  const sentences = [
    reachedWords({ reachability: 'reachable', relays: relays(0) }, 'Pier'),
    reachedWords({ reachability: 'unreachable', relays: relays(1) }, 'Pier'),
    reachedWords({ reachability: 'unreachable', relays: relays(0) }, 'Pier'),
    reachedWords({ reachability: 'unknown', relays: relays(0) }, 'Pier'),
  ]
  expect(new Set(sentences).size).toBe(4)
  for (const sentence of sentences) expect(sentence).toContain('Pier')
})

test('relays that serve are told of those that are known, and none is none', () => {
  expect(servingWords(1, 2)).toMatch(/1.*2/)
  expect(servingWords(0, 0)).not.toMatch(/0/)
})

test('sources stand most first, unknown ones together, empty ones not at all', () => {
  expect(sourceLines({ mdns: 2, kademlia: 8, gossip: 0, pigeon: 1, smoke: 3 }).map(({ source, count }) => [source, count])).toEqual([
    ['kademlia', 8],
    ['other', 4],
    ['mdns', 2],
  ])
})
