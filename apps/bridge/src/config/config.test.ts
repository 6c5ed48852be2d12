import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readConfig, SETTINGS, type Flags } from './config.ts'
import { ConfigError } from './settings.ts'

const PEER = '12D3KooWNcTP4cWToWRdJbfni9YXRjzeQD4BVYzv9Hnmdfrnh81C'

const refusalOf = (flags: Flags, env: Record<string, string> = {}): string => {
  try {
    readConfig(flags, env)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).message
  }
  return 'accepted'
}

describe('the settings', () => {
  it('have defaults that work with nothing given', () => {
    expect(readConfig({}, { PATH: '/bin' })).toEqual({
      host: '127.0.0.1',
      port: 8080,
      p2pPort: 8081,
      wtPort: 8080,
      wtHost: '127.0.0.1',
      dataDir: resolve('data'),
      publicUrl: undefined,
      name: 'Footbridge',
      guests: false,
      tls: undefined,
      trustedProxies: [],
      announceAddrs: [],
      listenAddrs: [],
      bootstrapAddrs: [],
      rendezvousAddrs: [],
      relayAddrs: [],
      mdns: true,
      mdnsTags: ['_p2p._udp.local'],
      rendezvousNamespaces: ['footbridge'],
      gossipTopics: [],
      kadProtocols: ['/ipfs/kad/1.0.0'],
      upnp: false,
      dialPrivate: [],
      stun: true,
      turn: undefined,
      logLevel: 'info',
      metrics: ['127.0.0.1', '::1'],
      iceServers: [],
      drainMs: 2_000,
    })
  })

  it('come from a flag before a variable before the default', () => {
    expect(readConfig({ port: '9000' }, { FOOTBRIDGE_PORT: '9100' }).port).toBe(9000)
    expect(readConfig({}, { FOOTBRIDGE_PORT: '9100' })).toMatchObject({ port: 9100, p2pPort: 9101 })
    expect(readConfig({}, { FOOTBRIDGE_PORT: '' }).port).toBe(8080)
    expect(readConfig({ guests: true }, {}).guests).toBe(true)
    expect(readConfig({}, { FOOTBRIDGE_GUESTS: 'true' }).guests).toBe(true)
  })

  it('each have a variable of their own, and a reason', () => {
    const all = Object.values(SETTINGS)
    expect(new Set(all.map(({ env }) => env)).size).toBe(all.length)
    for (const { env, reason, flag } of all) {
      expect(env).toBe(`FOOTBRIDGE_${flag.split(' ')[0]!.slice(2).toUpperCase().replaceAll('-', '_')}`)
      expect(reason.length).toBeGreaterThan(10)
    }
  })

  it('put WebTransport on the same address and number as HTTP, unless they say otherwise', () => {
    expect(readConfig({ host: '192.0.2.1', port: '9000' }, {})).toMatchObject({ wtPort: 9000, wtHost: '192.0.2.1' })
    expect(readConfig({ wtPort: '443', wtHost: '::' }, {})).toMatchObject({ wtPort: 443, wtHost: '::' })
    expect(readConfig({ wtPort: 'off' }, {}).wtPort).toBeUndefined()
    expect(refusalOf({ wtPort: 'none' })).toContain('--wt-port "none"')
  })

  it('say who may read the metrics', () => {
    expect(readConfig({ metrics: 'off' }, {}).metrics).toBe('off')
    expect(readConfig({ metrics: 'public' }, {}).metrics).toBe('public')
    expect(readConfig({ metrics: '198.51.100.7, 2001:db8::/32' }, {}).metrics).toEqual(['198.51.100.7', '2001:db8::/32'])
  })

  it('let the system choose both ports', () => {
    expect(readConfig({ port: '0' }, {})).toMatchObject({ port: 0, p2pPort: 0 })
  })

  it('understand lists, addresses and servers', () => {
    const config = readConfig(
      {
        trustedProxies: '127.0.0.1, 10.0.0.0/8,2001:db8::/32',
        announceAddrs: '/dns4/bridge.example/tcp/8081',
        publicUrl: 'https://bridge.example/',
        iceServers: 'stun:stun.example:3478,turn:alice:secret@turn.example:3478?transport=tcp',
      },
      {},
    )
    expect(config).toMatchObject({
      trustedProxies: ['127.0.0.1', '10.0.0.0/8', '2001:db8::/32'],
      announceAddrs: ['/dns4/bridge.example/tcp/8081'],
      publicUrl: 'https://bridge.example',
      iceServers: [
        { urls: ['stun:stun.example:3478'] },
        { urls: ['turn:turn.example:3478?transport=tcp'], username: 'alice', credential: 'secret' },
      ],
    })
  })
})

it('of TURN go together: where it is, and the secret from a file or a variable', () => {
  const turnUrls = 'turn:turn.example:3478, turns:[2001:db8::1]:5349?transport=tcp'
  const urls = ['turn:turn.example:3478', 'turns:[2001:db8::1]:5349?transport=tcp']
  expect(readConfig({ turnUrls }, { FOOTBRIDGE_TURN_SECRET: 'north' }).turn).toEqual({ urls, secret: { text: 'north' } })
  expect(readConfig({ turnUrls, turnSecretFile: '/run/turn' }, {}).turn).toEqual({ urls, secret: { file: '/run/turn' } })
  expect(readConfig({ stun: 'off' }, {})).toMatchObject({ stun: false, turn: undefined })
})

it('of the network are lists of addresses and names', () => {
  const boot = `/dns4/boot.example/tcp/4001/p2p/${PEER}`
  expect(
    readConfig(
      {
        listenAddrs: '/ip4/0.0.0.0/tcp/4001, /ip6/::/udp/4001/quic-v1,/ip4/0.0.0.0/udp/4002/webrtc-direct',
        bootstrapAddrs: `${boot}, ${boot}`,
        mdnsTags: '_p2p._udp.local,goop-mdns.local',
        rendezvousNamespace: 'footbridge,/calimero/devnet/global',
        kadProtocols: '/ipfs/kad/1.0.0,/calimero/kad/1.0.0',
        disableMdns: true,
        upnp: 'on',
        dialPrivate: '10.8.0.0/16,::1',
      },
      { FOOTBRIDGE_RELAY_ADDRS: `/ip4/203.0.113.5/udp/4001/quic-v1/p2p/${PEER}`, FOOTBRIDGE_RENDEZVOUS_ADDRS: boot },
    ),
  ).toMatchObject({
    listenAddrs: ['/ip4/0.0.0.0/tcp/4001', '/ip6/::/udp/4001/quic-v1', '/ip4/0.0.0.0/udp/4002/webrtc-direct'],
    bootstrapAddrs: [boot],
    relayAddrs: [`/ip4/203.0.113.5/udp/4001/quic-v1/p2p/${PEER}`],
    rendezvousAddrs: [boot],
    mdns: false,
    mdnsTags: ['_p2p._udp.local', 'goop-mdns.local'],
    rendezvousNamespaces: ['footbridge', '/calimero/devnet/global'],
    kadProtocols: ['/ipfs/kad/1.0.0', '/calimero/kad/1.0.0'],
    upnp: true,
    dialPrivate: ['10.8.0.0/16', '::1'],
  })
  expect(readConfig({ kadProtocols: 'off' }, {}).kadProtocols).toEqual([])
})

describe('a bad setting names itself and the reason', () => {
  it.each<[Flags, string]>([
    [{ listenAddrs: '/ip4/0.0.0.0/tcp/4001,4002' }, '--listen-addrs "/ip4/0.0.0.0/tcp/4001,4002" lists "4002", which is no multiaddr'],
    [{ listenAddrs: '/ip4/0.0.0.0/tcp/99999' }, 'which is no multiaddr'],
    [{ listenAddrs: '/dns4/bridge.example/tcp/4001' }, 'not an IP address of this machine'],
    [{ listenAddrs: '/ip4/0.0.0.0/tcp/4001/ws' }, 'which is on --port'],
    [{ listenAddrs: '/ip4/0.0.0.0/udp/4001/quic-v1/webtransport' }, 'which is on --wt-port'],
    [{ listenAddrs: '/ip4/0.0.0.0/udp/4001' }, 'neither TCP nor QUIC'],
    [{ listenAddrs: `/ip4/0.0.0.0/tcp/4001/p2p/${PEER}` }, 'without /p2p/'],
    [{ bootstrapAddrs: '/dns4/boot.example/tcp/4001' }, 'it must end in /p2p/<id>'],
    [{ bootstrapAddrs: `/p2p/${PEER}` }, 'a peer without an address'],
    [{ rendezvousAddrs: '/ip4/203.0.113.5/tcp/4001/p2p/nobody' }, '--rendezvous-addrs'],
    [{ relayAddrs: `/ip4/203.0.113.5/tcp/4001/p2p/${PEER}/p2p-circuit/p2p/${PEER}` }, 'itself behind a relay'],
    [{ relayAddrs: Array.from({ length: 65 }, (_, i) => `/ip4/203.0.113.${i}/tcp/1/p2p/${PEER}`).join() }, '64 are the most'],
    [{ mdnsTags: 'goop-mdns' }, '"goop-mdns" is none'],
    [{ mdnsTags: ' ' }, '--mdns-tags " " must not be empty'],
    [{ rendezvousNamespace: 'x'.repeat(256) }, 'more than 255 bytes'],
    [{ kadProtocols: 'ipfs' }, '"ipfs" is none'],
    [{ kadProtocols: '/a/1,/b/1,/c/1,/d/1,/e/1' }, '4 are the most'],
    [{ dialPrivate: '10.0.0.0/33' }, '"10.0.0.0/33" is neither'],
    [{ upnp: 'maybe' }, '--upnp "maybe" must be true or false'],
    [{ port: 'abc' }, '--port "abc" must be a whole number'],
    [{ port: '65536' }, '--port "65536" must be'],
    [{ port: '-1' }, '--port "-1" must be'],
    [{ port: '65535' }, '--p2p-port as well'],
    [{ port: '9000', p2pPort: '9000' }, '--p2p-port 9000 is the same as --port'],
    [{ host: 'bridge.example' }, '--host "bridge.example" must be an IP address'],
    [{ dataDir: ' ' }, '--data-dir " " must not be empty'],
    [{ publicUrl: 'bridge.example' }, '--public-url "bridge.example" must be a URL'],
    [{ publicUrl: 'https://bridge.example/app' }, 'without a path'],
    [{ name: 'x'.repeat(49) }, 'at most 48 characters'],
    [{ tlsCert: 'cert.pem' }, '--tls-key is missing'],
    [{ tlsKey: 'key.pem' }, '--tls-cert is missing'],
    [{ trustedProxies: '10.0.0.0/33' }, '"10.0.0.0/33" is neither'],
    [{ trustedProxies: 'proxy' }, '"proxy" is neither'],
    [{ announceAddrs: 'bridge.example:8081' }, '"bridge.example:8081" is none'],
    [{ logLevel: 'loud' }, '--log-level "loud" must be one of'],
    [{ metrics: 'everybody' }, '"everybody" is neither'],
    [{ metrics: '' }, '--metrics "" must not be empty'],
    [{ iceServers: 'https://stun.example' }, 'must list servers'],
    [{ iceServers: 'turn:turn.example' }, 'without user:password@'],
  ])('%j', (flags, message) => {
    expect(refusalOf(flags)).toContain(message)
    expect(refusalOf(flags)).not.toContain('\n')
  })

  it('by its variable when it came from there', () => {
    expect(refusalOf({}, { FOOTBRIDGE_GUESTS: 'maybe' })).toBe('FOOTBRIDGE_GUESTS "maybe" must be true or false')
  })

  it.each<[Flags, Record<string, string>, string]>([
    [{ turnUrls: 'turn:turn.example:3478' }, {}, 'needs the secret of the TURN server'],
    [{}, { FOOTBRIDGE_TURN_SECRET: 'north' }, 'no TURN server: give --turn-url'],
    [{ turnUrls: 'turn:turn.example', turnSecretFile: 'x' }, { FOOTBRIDGE_TURN_SECRET: 'north' }, 'are both given'],
    [{ turnUrls: 'turn://turn.example' }, { FOOTBRIDGE_TURN_SECRET: 'north' }, 'must list TURN servers'],
    [{ turnUrls: 'turn:alice:secret@turn.example' }, { FOOTBRIDGE_TURN_SECRET: 'north' }, 'must list TURN servers'],
  ])('of TURN: %j %j', (flags, env, message) => {
    expect(refusalOf(flags, env)).toContain(message)
    for (const secret of ['north', 'alice:secret']) expect(refusalOf(flags, env)).not.toContain(secret)
  })

  it('but does not repeat a password', () => {
    expect(refusalOf({ iceServers: 'turn:alice:secret@' })).not.toContain('secret')
  })

  it('when the variable is unknown, with what was probably meant', () => {
    expect(refusalOf({}, { FOOTBRIDGE_PROT: '1' })).toBe(
      'FOOTBRIDGE_PROT is not a setting: unset or correct it; did you mean FOOTBRIDGE_PORT?',
    )
    expect(refusalOf({}, { FOOTBRIDGE_DATADIR: '1' })).toContain('did you mean FOOTBRIDGE_DATA_DIR?')
    expect(refusalOf({}, { FOOTBRIDGE_COLOUR: '1' })).toContain('footbridge start --help')
  })
})
