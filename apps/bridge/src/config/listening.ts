/**
 * Settings of where the bridge is reached: addresses and ports, TLS, proxies in front.
 * Not here: whom it looks for (surroundings.ts), STUN and TURN (direct-paths.ts).
 */
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { parseAddressList, parseListenAddress, parseMultiaddr } from './multiaddrs.ts'
import { ConfigError, createSettingReader, setting, type Given } from './settings.ts'
import { nonEmpty, parseAddressRange, parseList, parsePort } from './values.ts'

export interface Listening {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly p2pPort: number
  /** UDP; undefined for no WebTransport. */
  readonly wtPort: number | undefined
  readonly wtHost: string
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined
  /** Origin without a trailing slash: `https://bridge.example`. */
  readonly publicUrl: string | undefined
  /** IP addresses and CIDR ranges. */
  readonly trustedProxies: readonly string[]
  /** Of libp2p over TCP, QUIC and WebRTC-direct, without /p2p; empty for those that follow from host and p2pPort. */
  readonly listenAddrs: readonly string[]
  /** Multiaddrs without /p2p. */
  readonly announceAddrs: readonly string[]
}

export const LISTENING = {
  host: setting({
    flag: '--host <address>',
    env: 'FOOTBRIDGE_HOST',
    help: 'IP address to listen on; 0.0.0.0 for every IPv4 address, :: for all',
    default: '127.0.0.1',
    reason: 'only this machine, until the operator decides who else; browsers log in over plain HTTP only at localhost',
    parse: parseHost,
  }),
  port: setting({
    flag: '--port <number>',
    env: 'FOOTBRIDGE_PORT',
    help: 'TCP port of the web app, the API and libp2p over WebSocket; 0 lets the system choose',
    default: '8080',
    reason: 'one port for browsers, so that one rule in a firewall or proxy is enough; needs no privileges',
    parse: parsePort,
  }),
  p2pPort: setting({
    flag: '--p2p-port <number>',
    env: 'FOOTBRIDGE_P2P_PORT',
    help: 'TCP port for native libp2p peers, on the same host; 0 lets the system choose',
    default: 'port + 1',
    reason: 'libp2p over TCP cannot share a port with HTTP',
    parse: parsePort,
  }),
  wtPort: setting({
    flag: '--wt-port <number>',
    env: 'FOOTBRIDGE_WT_PORT',
    help: 'UDP port of libp2p over WebTransport, for browsers; 0 lets the system choose, off does without',
    default: 'port',
    reason: 'the same number as for HTTP is one thing less to remember; UDP and TCP do not get in each other’s way',
    parse: (text) => (text === 'off' ? text : parsePort(text)),
  }),
  wtHost: setting({
    flag: '--wt-host <address>',
    env: 'FOOTBRIDGE_WT_HOST',
    help: 'IP address for WebTransport to listen on, where it is not the one of --host',
    default: 'host',
    reason:
      'a proxy in front takes HTTP alone: behind one the bridge listens on loopback for it, and for UDP on the address that people reach',
    parse: parseHost,
  }),
  tlsCert: setting({
    flag: '--tls-cert <file>',
    env: 'FOOTBRIDGE_TLS_CERT',
    help: 'PEM file of the certificate and its chain; goes with --tls-key',
    default: undefined,
    reason: 'browsers give a page on another machine its cryptography only over HTTPS',
    parse: (text) => resolve(nonEmpty(text)),
  }),
  tlsKey: setting({
    flag: '--tls-key <file>',
    env: 'FOOTBRIDGE_TLS_KEY',
    help: 'PEM file of the certificate’s private key; goes with --tls-cert',
    default: undefined,
    reason: 'see --tls-cert',
    parse: (text) => resolve(nonEmpty(text)),
  }),
  publicUrl: setting({
    flag: '--public-url <url>',
    env: 'FOOTBRIDGE_PUBLIC_URL',
    help: 'address at which people reach this bridge, for login links and first hops: https://bridge.example',
    default: undefined,
    reason: 'behind a proxy or a name the bridge cannot know it; without it, links say where it listens',
    parse: parseOrigin,
  }),
  trustedProxies: setting({
    flag: '--trusted-proxies <list>',
    env: 'FOOTBRIDGE_TRUSTED_PROXIES',
    help: 'IP addresses and CIDR ranges, comma-separated, whose X-Forwarded-For and -Proto are believed: 127.0.0.1,10.0.0.0/8',
    default: undefined,
    reason: 'none: anybody can send these headers, and rate limits go by address',
    parse: (text) => parseList(text, parseAddressRange),
  }),
  listenAddrs: setting({
    flag: '--listen-addrs <list>',
    env: 'FOOTBRIDGE_LISTEN_ADDRS',
    help: 'multiaddrs, comma-separated, for native peers: /ip4/0.0.0.0/tcp/4001,/ip6/::/udp/4001/quic-v1,/ip4/0.0.0.0/udp/4002/webrtc-direct',
    default: 'TCP on p2p-port, QUIC on the UDP port after it, WebRTC-direct on the next, all on host',
    reason: 'a bridge with several addresses, or one that shares a firewall with others, has its own; each one listed must be had',
    parse: (text) => parseAddressList(text, parseListenAddress),
  }),
  announceAddrs: setting({
    flag: '--announce-addrs <list>',
    env: 'FOOTBRIDGE_ANNOUNCE_ADDRS',
    help: 'multiaddrs, comma-separated, at which native peers reach this bridge: /dns4/bridge.example/tcp/8081',
    default: undefined,
    reason: 'behind NAT or a proxy the addresses it listens on are not those that others dial',
    parse: (text) => parseList(text, parseMultiaddr),
  }),
} as const

const DEFAULTS_IN_WORDS = new Set(['p2pPort', 'wtPort', 'wtHost', 'listenAddrs'] as const)

/** @throws ConfigError */
export function readListening(given: Given<typeof LISTENING>): Listening {
  const { read, required } = createSettingReader(LISTENING, { ...given, defaultsInWords: DEFAULTS_IN_WORDS })
  const host = required('host')
  const port = required('port')
  const p2pPort = read('p2pPort') ?? (port === 0 ? 0 : port + 1)
  if (p2pPort > 65_535) throw new ConfigError('--port 65535 leaves no port after it for native peers: give --p2p-port as well')
  if (p2pPort === port && port !== 0)
    throw new ConfigError(`--p2p-port ${p2pPort} is the same as --port: libp2p over TCP needs a port of its own`)
  const wtPort = read('wtPort') ?? port
  const certFile = read('tlsCert')
  const keyFile = read('tlsKey')
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new ConfigError(`--tls-cert and --tls-key go together: ${certFile === undefined ? '--tls-cert' : '--tls-key'} is missing`)

  return {
    host,
    port,
    p2pPort,
    wtPort: wtPort === 'off' ? undefined : wtPort,
    wtHost: read('wtHost') ?? host,
    tls: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile },
    publicUrl: read('publicUrl'),
    trustedProxies: read('trustedProxies') ?? [],
    listenAddrs: read('listenAddrs') ?? [],
    announceAddrs: read('announceAddrs') ?? [],
  }
}

function parseHost(text: string): string {
  if (text === 'localhost') return '127.0.0.1'
  if (isIP(text) === 0) throw new Error('must be an IP address of this machine, such as 127.0.0.1, 0.0.0.0 or ::')
  return text
}

function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) throw new Error('must be a URL such as https://bridge.example')
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '')
    throw new Error('must be an address alone, without a path: https://bridge.example')
  return url.origin
}
