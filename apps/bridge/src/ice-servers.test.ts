/**
 * Which servers a browser is told of, by where the bridge listens, what the operator announced, and how the browser came.
 */
import { describe, expect, it } from 'vitest'
import { readConfig, type Flags } from './config/config.ts'
import { createIceServers, type IceServers } from './ice-servers.ts'

const PORTS = [8080, 8081]

function serversFor(flags: Flags, origin: string, ports = PORTS): IceServers {
  return createIceServers({ config: readConfig(flags, {}), stunPorts: () => ports, turn: undefined })({
    peer: 'alice',
    origin,
    expiresAt: 0,
  })
}

const OPEN = '0.0.0.0'

describe('the bridge’s own STUN is named', () => {
  it.each<[Flags, string, string, string]>([
    [{}, 'http://localhost:8080', '127.0.0.1', 'UDP gives no answer in the family that does not listen'],
    [{ host: '::1' }, 'http://localhost:8080', '[::1]', 'the same, the other way round'],
    [{ host: OPEN }, 'http://localhost:8080', '127.0.0.1', 'this machine'],
    [{ host: OPEN }, 'http://192.0.2.1:8080', '192.0.2.1', 'it worked for HTTP'],
    [{ host: '::' }, 'https://[2001:db8::1]:8080', '[2001:db8::1]', 'brackets'],
    [{ host: OPEN }, 'https://bridge.example', 'bridge.example', 'it worked for HTTP'],
    [{ host: OPEN, publicUrl: 'https://bridge.example' }, 'http://192.0.2.1:8080', 'bridge.example', 'the operator says so'],
    [
      { wtHost: OPEN, publicUrl: 'https://bridge.example', announceAddrs: '/dns4/direct.example/tcp/8081' },
      'https://bridge.example',
      'direct.example',
      'what is in front of HTTP takes no UDP',
    ],
    [{ host: OPEN, announceAddrs: '/ip6/2001:db8::1/tcp/8081' }, 'https://bridge.example', '[2001:db8::1]', 'brackets'],
    [{ host: OPEN, announceAddrs: '/ip4/192.0.2.1/tcp/8081' }, 'http://localhost:8080', '127.0.0.1', 'a router may not lead back in'],
  ])('%j at %s: %s, because %s', (flags, origin, host) => {
    expect(serversFor(flags, origin)).toEqual([{ urls: PORTS.map((port) => `stun:${host}:${port}`) }])
  })

  it('to nobody who comes through a proxy to a bridge on loopback, nor without a port', () => {
    expect(serversFor({}, 'https://bridge.example')).toEqual([])
    expect(serversFor({ publicUrl: 'https://bridge.example' }, 'http://localhost:8080')).toEqual([])
    expect(serversFor({ announceAddrs: '/dns4/bridge.example/tcp/8081' }, 'https://bridge.example')).toEqual([])
    expect(serversFor({}, 'http://localhost:8080', [])).toEqual([])
  })
})

it('TURN and the operator’s list follow, in this order', () => {
  const config = readConfig({ iceServers: 'stun:stun.example:3478' }, {})
  const turn = {
    issue: ({ peer, sessionEndsAt }: { peer: string; sessionEndsAt: number }) => ({
      urls: ['turn:t'],
      username: `${sessionEndsAt}:${peer}`,
      credential: 'c',
    }),
  }
  const servers = createIceServers({ config, stunPorts: () => [8080], turn })({
    peer: 'alice',
    origin: 'http://localhost:8080',
    expiresAt: 5,
  })
  expect(servers).toEqual([
    { urls: ['stun:127.0.0.1:8080'] },
    { urls: ['turn:t'], username: '5:alice', credential: 'c' },
    { urls: ['stun:stun.example:3478'] },
  ])
})
