import { expect, test } from 'vitest'
import type { ConnectionState } from '../api.ts'
import type { SessionAnswer } from '@footbridge/shared/login'
import { statusOf, type StatusFacts } from './status.ts'

const session = {
  peer: 'alice',
  bridge: { peer: 'bridge', name: '', version: '1' },
  relayAddresses: ['/ip4/192.0.2.1/tcp/4001/p2p/bridge'],
} as unknown as SessionAnswer
const firstHop = { kind: 'websocket', address: '', rttMs: undefined } as const
const online: ConnectionState = { state: 'online', session, firstHop, done: [] }
const circuit = '/ip4/192.0.2.1/tcp/4001/p2p/bridge/p2p-circuit/p2p/alice'

const facts = (change: Partial<StatusFacts> = {}): StatusFacts => ({
  peer: 'alice',
  connection: online,
  session,
  listening: [],
  findable: { places: [] },
  paths: new Map(),
  onlineAt: 5,
  ...change,
})

test('reachable through the bridge, it has the addresses of the circuit', () => {
  expect(statusOf(facts())).toEqual({
    peer: 'alice',
    listenAddresses: [],
    externalAddresses: [circuit],
    relays: [{ peer: 'bridge', state: 'accepted', addresses: [circuit] }],
    rendezvous: [],
    directUpgrades: [],
    autonat: { reachability: 'reachable', lastTestAt: 5 },
  })
})

test.each<[ConnectionState, string, string]>([
  [{ state: 'away', code: 'unreachable', attempt: 1, retryAt: 9 }, 'requested', 'it is coming back'],
  [{ state: 'arriving', step: 'reaching', stepStartedAt: 1, done: [] }, 'requested', 'it is on its way in'],
  [{ state: 'out', reason: 'token_revoked' }, 'expired', 'it does not come back'],
])('%o has a reservation that is %s, and no address: %s', (connection, state) => {
  const status = statusOf(facts({ connection }))
  expect(status).toMatchObject({ externalAddresses: [], relays: [{ peer: 'bridge', state, addresses: [] }] })
  expect(status.autonat).toEqual({ reachability: 'unknown', lastTestAt: 5 })
})

test('before the first session there is no relay', () => {
  expect(statusOf(facts({ connection: { state: 'out' }, session: undefined })).relays).toEqual([])
})

test('listen addresses end in the peer, and circuits are none of them', () => {
  const listening = ['/ip4/127.0.0.1/tcp/1', '/ip4/127.0.0.1/tcp/2/p2p/alice', circuit]
  expect(statusOf(facts({ listening })).listenAddresses).toEqual(['/ip4/127.0.0.1/tcp/1/p2p/alice', '/ip4/127.0.0.1/tcp/2/p2p/alice'])
})

test('it says where the bridge registers it, and which peers are reached past the circuit', () => {
  const shared = { rttMs: undefined, address: '', since: 0 }
  const paths: StatusFacts['paths'] = new Map([
    ['bob', { kind: 'direct', over: 'webrtc', ...shared }],
    ['charlie', { kind: 'relayed', over: 'circuit', upgrade: { state: 'trying', startedAt: 1 }, ...shared }],
  ])
  const places = [
    { place: 'presence', state: 'announced' },
    { place: 'rendezvous', state: 'ready' },
  ] as unknown as StatusFacts['findable']['places']
  const status = statusOf(facts({ paths, findable: { places } }))
  expect(status.rendezvous).toEqual([{ peer: 'bridge', state: 'ready' }])
  expect(status.directUpgrades).toEqual([
    { peer: 'bob', state: 'direct' },
    { peer: 'charlie', state: 'trying' },
  ])
})
