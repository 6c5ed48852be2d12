import { expect, test } from 'vitest'
import { BRIDGE_AUTHORITY, SCHOOL_AUTHORITY } from './certificates.ts'
import { chooseNetworks, type Network } from './networks.ts'
import { wrongAbout } from './probe.ts'
import type { ProbeFacts } from './probe-process.ts'

const network = (name: string): Network => chooseNetworks([name])[0]!
const udp = { ports: [4000, 4000], isOwnAddress: false, letsOthersIn: false, lostPercent: 0 } as const
const web = { issuer: BRIDGE_AUTHORITY, health: 200, upgrade: 101 }
const cone: ProbeFacts = { udp, tcp: { 443: 42, 7000: 41 }, web }

test('nothing is wrong about a network that is as described', () => {
  expect(wrongAbout(network('cone'), cone)).toEqual([])
  expect(wrongAbout(network('symmetric'), { ...cone, udp: { ...udp, ports: [4000, 4001] } })).toEqual([])
  expect(wrongAbout(network('tcp-443'), { udp: undefined, tcp: { 443: 45 }, web })).toEqual([])
  expect(wrongAbout(network('squid'), { udp: undefined, tcp: {}, web: { issuer: SCHOOL_AUTHORITY, health: 200, upgrade: 404 } })).toEqual(
    [],
  )
})

test.each<[string, Partial<ProbeFacts>, string]>([
  ['cone', { udp: undefined }, 'cone: UDP is blocked'],
  ['cone', { udp: { ...udp, ports: [1, 2] } }, 'cone: two destinations see two ports'],
  ['symmetric', {}, 'symmetric: two destinations see the same port'],
  ['cone', { udp: { ...udp, letsOthersIn: true } }, "cone: strangers' datagrams come in"],
  ['full-cone', {}, "full-cone: strangers' datagrams are kept out"],
  ['open', { udp: { ...udp, letsOthersIn: true } }, 'open: addresses are translated'],
  ['cone', { udp: { ...udp, lostPercent: 9 } }, 'cone: 9.0 % of datagrams are lost both ways, not 0.0'],
  ['no-udp', {}, 'no-udp: UDP is let out'],
  ['tcp-443', { udp: undefined }, 'tcp-443: TCP to other ports is let out'],
  ['cone', { tcp: { 443: 3, 7000: 3 } }, 'cone: a round trip takes 3 ms, less than the line'],
  ['nginx', { udp: undefined, tcp: {} }, 'nginx: an upgrade is answered with 101'],
  ['squid', { udp: undefined, tcp: {}, web: { ...web, upgrade: 404 } }, `squid: the certificate is signed by ${BRIDGE_AUTHORITY}`],
  ['cone', { web: undefined }, "cone: the bridge's page is answered with undefined"],
])('says what is wrong about %s: %j', (name, facts, sentence) => {
  expect(wrongAbout(network(name), { ...cone, ...facts })).toContain(sentence)
})
