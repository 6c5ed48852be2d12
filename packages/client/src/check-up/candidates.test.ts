import { expect, test } from 'vitest'
import { isPrivateAddress, mappedBy, natKind, parseCandidate, type Candidate } from './candidates.ts'

const parsed = (...texts: readonly string[]): Candidate[] => texts.map((text) => parseCandidate(text)).filter((each) => each !== undefined)
/** As Chromium names them: the host behind a name of mDNS, and no related address. */
const host = (port: number): string =>
  `candidate:1 1 udp 2113937151 0b1c.local ${port} typ host generation 0 ufrag x network-id 1 network-cost 50`
const hidden = (port: number, address = '198.51.100.7', network = 1): string =>
  `candidate:2 1 udp 1677729535 ${address} ${port} typ srflx raddr 0.0.0.0 rport 0 generation 0 network-id ${network}`
/** As Firefox names them where it hides nothing. */
const open = (port: number, own: string, ownPort: number, address = '198.51.100.7'): string =>
  `candidate:3 1 UDP 1685987327 ${address} ${port} typ srflx raddr ${own} rport ${ownPort}`

test('a candidate is read by its fields', () => {
  expect(parseCandidate(hidden(4000))).toEqual({
    address: '198.51.100.7',
    port: 4000,
    type: 'srflx',
    protocol: 'udp',
    relatedAddress: '0.0.0.0',
    relatedPort: 0,
    networkId: '1',
  })
})

test.each(['', 'candidate:1 1 udp', 'nonsense 1 udp 1 192.0.2.1 1 typ host', 'candidate:1 1 sctp 1 192.0.2.1 1 typ host'])(
  '%j is no candidate',
  (text) => {
    expect(parseCandidate(text)).toBeUndefined()
  },
)

test.each<readonly [string, Candidate[], number, ReturnType<typeof natKind>]>([
  ['one mapped port for two servers', parsed(host(4000), hidden(4000)), 2, 'endpoint_independent'],
  ['one mapped port, and only one server answers', parsed(host(4000), hidden(4000)), 1, 'unknown'],
  ['another mapped port for each server', parsed(host(4000), hidden(4000), hidden(4001)), 2, 'symmetric'],
  ['another mapped address for each server', parsed(host(4000), hidden(4000), hidden(4000, '198.51.100.8')), 2, 'symmetric'],
  ['two interfaces, each with one mapping', parsed(hidden(4000), hidden(5000, '203.0.113.9', 2)), 2, 'endpoint_independent'],
  ['two sockets that are shown', parsed(open(4000, '10.0.0.2', 4000), open(5000, '10.8.0.2', 5000)), 2, 'endpoint_independent'],
  ['one socket that is shown, mapped twice', parsed(open(4000, '10.0.0.2', 4000), open(4001, '10.0.0.2', 4000)), 2, 'symmetric'],
  ['IPv6 beside IPv4 is another socket', parsed(hidden(4000), hidden(4000, '2001:db8::7')), 2, 'endpoint_independent'],
  [
    'the mapped address is the own one',
    parsed('candidate:1 1 udp 1 198.51.100.7 4000 typ host', open(4000, '198.51.100.7', 4000)),
    2,
    'none',
  ],
  ['no answer', parsed(host(4000)), 0, 'unknown'],
])('%s', (_case, both, answered, kind) => {
  expect(natKind(both, answered)).toBe(kind)
})

test('a mapped address that two servers tell counts once', () => {
  expect(mappedBy(parsed(hidden(4000), hidden(4000), host(4000)))).toEqual([{ address: '198.51.100.7', port: 4000 }])
})

test.each([
  ['10.1.0.2', true],
  ['172.16.0.1', true],
  ['172.32.0.1', false],
  ['192.168.7.7', true],
  ['100.64.0.9', true],
  ['169.254.1.1', true],
  ['127.0.0.1', true],
  ['198.51.100.7', false],
  ['fd12::1', true],
  ['fe80::1', true],
  ['2001:db8::1', false],
])('%s is private: %s', (address, isPrivate) => {
  expect(isPrivateAddress(address)).toBe(isPrivate)
})
