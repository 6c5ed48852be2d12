import { expect, test } from 'vitest'
import { hopsFrom, pathBetween } from './expected.ts'
import { chooseNetworks, type Network } from './networks.ts'

const network = (name: string): Network => chooseNetworks([name])[0]!

test.each([
  ['open', 'open', 'direct', 'nothing is in the way'],
  ['open', 'symmetric', 'direct', 'the open side takes what comes from a port it did not expect'],
  ['cone', 'cone', 'direct', 'both have opened their door to the port that the other shows everybody'],
  ['firewall', 'cone', 'direct', 'a firewall lets answers in as a cone does'],
  ['full-cone', 'symmetric', 'direct', 'a full cone takes strangers'],
  ['cone', 'symmetric', 'relayed', 'the cone waits for another port than the one that the symmetric side uses for it'],
  ['firewall', 'symmetric', 'relayed', 'so does a firewall'],
  ['symmetric', 'symmetric', 'relayed', 'neither port can be foretold'],
  ['open', 'no-udp', 'relayed', 'there is no UDP from one side'],
  ['tcp-443', 'tcp-443', 'relayed', 'there is none from either'],
  ['squid', 'open', 'relayed', 'a proxy carries requests alone'],
])('between %s and %s people are %s: %s', (one, other, path) => {
  expect(pathBetween(network(one), network(other))).toBe(path)
  expect(pathBetween(network(other), network(one))).toBe(path)
})

test.each([
  ['cone', 'cone', 'direct', 'each lets in the answer to what it has sent'],
  ['no-udp', 'cone', 'direct', 'TCP is let out where datagrams are not'],
  ['symmetric', 'symmetric', 'relayed', 'neither port can be foretold'],
  ['full-cone', 'symmetric', 'relayed', 'strangers are handed on by datagram alone'],
  ['tcp-443', 'cone', 'relayed', 'only one port can be reached'],
])('over TCP native peers between %s and %s are %s: %s', (one, other, path) => {
  expect(pathBetween(network(one), network(other), 'tcp')).toBe(path)
  expect(pathBetween(network(other), network(one), 'tcp')).toBe(path)
})

test.each([
  ['open', ['webtransport', 'websocket', 'tunnel']],
  ['symmetric', ['webtransport', 'websocket', 'tunnel']],
  ['no-udp', ['websocket', 'tunnel']],
  ['tcp-443', ['websocket', 'tunnel']],
  ['tinyproxy', ['websocket', 'tunnel']],
  ['squid', ['tunnel']],
  ['nginx', ['tunnel']],
])('from %s the first hops that work are %j', (name, hops) => {
  expect(hopsFrom(network(name))).toEqual(hops)
})
