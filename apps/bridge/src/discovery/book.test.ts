/** What the book keeps of peers, and what it forgets. */
import { expect, it } from 'vitest'
import { createBook } from './book.ts'
import { decideReachability } from './reachability.ts'
import { redialAfterMs } from './redial.ts'

const at = (port: number): string => `/ip4/192.0.2.1/tcp/${port}`

it('keeps one record of a peer whoever told, with its four latest addresses', () => {
  const book = createBook({ clock: () => 7 })
  book.heard('alice', [at(1), at(2), at(3)], 'kademlia')
  book.heard('alice', [at(4), at(5)], 'mdns')
  expect(book.list()).toHaveLength(1)
  expect(book.get('alice')).toMatchObject({ sources: ['kademlia', 'mdns'], lastSeen: 7, lastMet: undefined })
  expect(book.get('alice')?.addresses.map(({ address }) => address)).toEqual([at(2), at(3), at(4), at(5)])
})

it('forgets a peer after three dials in a row that failed, and one of the settings never', () => {
  const book = createBook({ clock: () => 0 })
  const told: [string, boolean][] = []
  book.heard('alice', [at(1)], 'gossip')
  book.heard('relay', [at(2)], 'configured')
  book.subscribe((peer, record) => told.push([peer, record !== undefined]))
  expect([book.failed('alice'), book.failed('alice')]).toEqual([false, false])
  book.met('alice', ['/ping'])
  expect([book.failed('alice'), book.failed('alice'), book.failed('alice')]).toEqual([false, false, true])
  for (let count = 0; count < 5; count++) expect(book.failed('relay')).toBe(false)
  expect(book.list().map(({ peer }) => peer)).toEqual(['relay'])
  expect(told.at(-6)).toEqual(['alice', false])
})

it('when full forgets who was seen longest ago, but nobody of the settings', () => {
  const book = createBook({ clock: () => 0, maxPeers: 3 })
  book.heard('relay', [at(1)], 'configured')
  book.heard('alice', [at(2)], 'gossip')
  book.heard('bob', [at(3)], 'gossip')
  book.heard('alice', [at(2)], 'gossip')
  book.heard('charlie', [at(4)], 'gossip')
  expect(book.list().map(({ peer }) => peer)).toEqual(['relay', 'alice', 'charlie'])
})

it('when full keeps those that were met before those that were told of', () => {
  const book = createBook({ clock: () => 0, maxPeers: 2 })
  book.met('alice', ['/ping'], at(1))
  book.heard('bob', [at(2)], 'gossip')
  book.heard('charlie', [at(3)], 'gossip')
  expect(book.list().map(({ peer }) => peer)).toEqual(['alice', 'charlie'])
})

it('keeps the operator’s address of a peer whatever strangers tell of it', () => {
  const book = createBook({ clock: () => 0 })
  book.heard('relay', [at(1)], 'configured')
  book.heard('relay', [at(1), at(2), at(3), at(4), at(5), at(6)], 'kademlia')
  expect(book.get('relay')?.addresses).toContainEqual({ address: at(1), source: 'configured' })
  expect(book.get('relay')?.addresses).toHaveLength(4)
})

it.each([
  ['reachable', '/ip4/192.0.2.1/tcp/1', true, true, undefined, 'a confirmed address of use'],
  ['unknown', '/ip4/10.0.0.1/tcp/1', true, false, undefined, 'nobody asked yet'],
  ['unknown', '/ip4/192.0.2.1/tcp/1', false, true, 5, 'not long enough'],
  ['unreachable', '/ip4/192.0.2.1/tcp/1', false, true, 0, 'nobody confirmed it'],
  ['unreachable', '/ip4/192.0.2.1/tcp/1/p2p/relay/p2p-circuit', true, true, 0, 'a circuit is no direct way'],
] as const)('is %s with %s: confirmed %s, of use %s, out since %s: %s', (expected, address, verified, isOfUse, outSince, _reason) => {
  expect(decideReachability({ own: [{ address, verified, isOfUse }], outSince, graceMs: 10 }, 10)).toBe(expected)
})

it('redials at once, then later each time, shaken by a fifth', () => {
  expect([0, 1, 2, 3, 4, 5, 99].map((attempts) => redialAfterMs(attempts, 0.5))).toEqual([
    0, 5_000, 15_000, 30_000, 60_000, 300_000, 300_000,
  ])
  expect([redialAfterMs(1, 0), redialAfterMs(1, 1)]).toEqual([4_000, 6_000])
})
