import { expect, test } from 'vitest'
import { bridgeSeenFrom, layOut, namespacesOf, type Site } from './layout.ts'
import { chooseNetworks } from './networks.ts'

const layout = layOut(chooseNetworks(['open', 'cone', 'nginx', 'squid']), 77)
const site = (person: string): Site => layout.sites.find((candidate) => candidate.person === person)!

test('every network stands twice, once for each side of a conversation', () => {
  expect(layout.sites.map((found) => found.person)).toEqual([
    'alice open',
    'alice cone',
    'alice nginx',
    'alice squid',
    'bob open',
    'bob cone',
    'bob nginx',
    'bob squid',
  ])
})

test('no two networks share a line or a public address', () => {
  const distinct = (of: (found: Site) => string): number => new Set(layout.sites.map(of)).size
  expect(distinct((found) => found.line)).toBe(8)
  expect(distinct((found) => found.routerAddress)).toBe(8)
  expect(distinct((found) => found.coreAddress)).toBe(8)
})

test('people behind NAT have the same addresses in every home, people without have public ones of their own', () => {
  expect([site('alice cone').hosts[0]?.address, site('bob cone').hosts[0]?.address]).toEqual(['192.168.1.10', '192.168.1.10'])
  expect([site('alice open').hosts[0]?.address, site('bob open').hosts[0]?.address]).toEqual(['11.1.1.10', '11.1.5.10'])
})

test('every namespace carries the number of its run and stands once', () => {
  const names = namespacesOf(layout)
  expect(names.every((name) => name.startsWith('fblab77-'))).toBe(true)
  expect(new Set(names).size).toBe(names.length)
  expect(names).toContain('fblab77-squid-bob-proxy')
})

test('where a reverse proxy stands in for the bridge its name leads there, but for the proxy itself', () => {
  const nginx = site('alice nginx')
  expect(bridgeSeenFrom(layout, nginx, nginx.hosts[0]!)).toBe('192.168.1.3')
  expect(bridgeSeenFrom(layout, nginx, nginx.proxy!)).toBe('11.0.0.10')
  const squid = site('alice squid')
  expect(bridgeSeenFrom(layout, squid, squid.hosts[0]!)).toBe('11.0.0.10')
})

test('a network that nobody described is refused with the names of those that are', () => {
  expect(() => chooseNetworks(['cone', 'satellite'])).toThrow(/no network "satellite": there are open, cone, .*tinyproxy/)
})
