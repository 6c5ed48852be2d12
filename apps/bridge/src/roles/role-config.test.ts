import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { RELAY_LIMITS } from '../relay/limits.ts'
import { ConfigError, type Environment, type FlagsOf } from '../config/settings.ts'
import { readRelayConfig, readRendezvousConfig, RELAY_SETTINGS, RENDEZVOUS_SETTINGS } from './role-config.ts'

type Flags = FlagsOf<typeof RELAY_SETTINGS>
const ALICE = '12D3KooWQF6Q3i1QkziJQ9mkNNcyFD8GPQz6R6oEvT75wgsVXm4v'

const refusalOf = (flags: Flags, env: Environment = {}): string => {
  try {
    readRelayConfig(flags, env)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).message
  }
  return 'accepted'
}

it('the relay is for this machine alone, open to anybody with small circuits, until the operator says otherwise', () => {
  expect(readRelayConfig({}, { PATH: '/bin' })).toEqual({
    host: '127.0.0.1',
    port: 8081,
    listenAddrs: ['/ip4/127.0.0.1/tcp/4003', '/ip4/127.0.0.1/udp/4003/quic-v1'],
    announceAddrs: [],
    dataDir: resolve('data/relay'),
    trustedProxies: [],
    metrics: ['127.0.0.1', '::1'],
    logLevel: 'info',
    allow: undefined,
    reservations: 128,
    circuits: 1_024,
    bytesPerSecond: 10_000_000,
    bytesPerDay: null,
    circuitBytes: 131_072,
    circuitSeconds: 120,
  })
})

it('the rendezvous point has other ports and another key', () => {
  expect(readRendezvousConfig({}, {})).toMatchObject({
    port: 8082,
    listenAddrs: ['/ip4/127.0.0.1/tcp/4004', '/ip4/127.0.0.1/udp/4004/quic-v1'],
    dataDir: resolve('data/rendezvous'),
  })
})

it('a relay for listed peers cuts no circuit of theirs, unless it is told to', () => {
  const listed = readRelayConfig({ allow: ALICE }, {})
  expect([...listed.allow!]).toEqual([ALICE])
  expect(listed).toMatchObject({ circuitBytes: RELAY_LIMITS.circuitBytes, circuitSeconds: RELAY_LIMITS.circuitSeconds })
  expect(readRelayConfig({ allow: ALICE, circuitBytes: '10MB' }, {})).toMatchObject({ circuitBytes: 10_000_000 })
  expect(readRelayConfig({ circuitBytes: 'none', circuitSeconds: 'none' }, {})).toMatchObject({
    circuitBytes: RELAY_LIMITS.circuitBytes,
    circuitSeconds: RELAY_LIMITS.circuitSeconds,
  })
})

it('flags win over variables, and addresses over the port', () => {
  expect(readRelayConfig({ port: '1' }, { FOOTBRIDGE_PORT: '2' }).port).toBe(1)
  expect(readRelayConfig({}, { FOOTBRIDGE_P2P_PORT: '7', FOOTBRIDGE_HOST: '::' }).listenAddrs).toEqual([
    '/ip4/0.0.0.0/tcp/7',
    '/ip4/0.0.0.0/udp/7/quic-v1',
    '/ip6/::/tcp/7',
    '/ip6/::/udp/7/quic-v1',
  ])
  expect(readRelayConfig({ p2pPort: '7', listenAddrs: '/ip4/127.0.0.1/tcp/9' }, {}).listenAddrs).toEqual(['/ip4/127.0.0.1/tcp/9'])
})

it.each([RELAY_SETTINGS, RENDEZVOUS_SETTINGS])('settings have variables named after their flags, and reasons', (table) => {
  for (const { env, flag, reason } of Object.values(table)) {
    expect(env).toBe(`FOOTBRIDGE_${flag.split(' ')[0]!.slice(2).toUpperCase().replaceAll('-', '_')}`)
    expect(reason.length).toBeGreaterThan(10)
  }
})

describe('a bad setting names itself and the reason', () => {
  it.each<[Flags, Environment, string]>([
    [{ allow: 'alice' }, {}, '--allow "alice" must list PeerIDs'],
    [{ allow: ' , ' }, {}, '--allow " , " must not be empty'],
    [{ reservations: '0' }, {}, '--reservations "0" must be a whole number'],
    [{ rate: '5Mbit' }, {}, 'must be in bytes'],
    [{ circuitSeconds: '-1' }, {}, '--circuit-time "-1" must be'],
    [{ circuitBytes: 'much' }, {}, '--circuit-bytes "much" must be'],
    [{ listenAddrs: '/ip4/127.0.0.1/udp/1/webrtc-direct' }, {}, 'TCP, QUIC and WebSocket alone'],
    [{ listenAddrs: ',' }, {}, '--listen-addrs'],
    [{ port: '4003' }, {}, '--port 4003 is the TCP port of native peers too'],
    [{}, { FOOTBRIDGE_GUESTS: 'true' }, 'FOOTBRIDGE_GUESTS is not a setting'],
    [{}, { FOOTBRIDGE_ALOW: ALICE }, 'did you mean FOOTBRIDGE_ALLOW?'],
  ])('%j %j', (flags, env, message) => {
    expect(refusalOf(flags, env)).toContain(message)
  })
})
