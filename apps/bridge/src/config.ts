/**
 * Every setting of the bridge, once: flag, environment variable, unit, default, reason, and how its text becomes a value.
 * Nothing here touches process: main.ts hands flags and environment in.
 * Not here: what wins over what (settings.ts), the config file (settings-file.ts), caps and rates (limits.ts), and what a token may do (`footbridge token
 * create --help`).
 */
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { MAX_NAME_LENGTH } from '@footbridge/shared/limits'
import {
  MAX_CONFIGURED_TOPICS,
  MAX_DRAIN_SECONDS,
  MAX_KAD_PROTOCOLS,
  MAX_MDNS_TAGS,
  MAX_NETWORK_ADDRESSES,
  MAX_RENDEZVOUS_NAMESPACES,
} from './limits.ts'
import {
  ConfigError,
  createSettingReader,
  refuseUnknownVariables,
  setting,
  type Environment,
  type FlagsOf,
  type SettingsFile,
} from './settings.ts'

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface IceServer {
  readonly urls: string[]
  readonly username?: string | undefined
  readonly credential?: string | undefined
}

export interface Config {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly p2pPort: number
  /** UDP; undefined for no WebTransport. */
  readonly wtPort: number | undefined
  readonly wtHost: string
  /** Absolute. */
  readonly dataDir: string
  /** Origin without a trailing slash: `https://bridge.example`. */
  readonly publicUrl: string | undefined
  readonly name: string
  readonly guests: boolean
  readonly tls: { readonly certFile: string; readonly keyFile: string } | undefined
  /** IP addresses and CIDR ranges. */
  readonly trustedProxies: readonly string[]
  /** Whether the bridge answers STUN. */
  readonly stun: boolean
  /** The operator's TURN server; undefined for none. */
  readonly turn: { readonly urls: readonly string[]; readonly secret: TurnSecret } | undefined
  /** Multiaddrs without /p2p. */
  readonly announceAddrs: readonly string[]
  /** Of libp2p over TCP, QUIC and WebRTC-direct, without /p2p; empty for those that follow from host and p2pPort. */
  readonly listenAddrs: readonly string[]
  /** Peers to know at the start, each ending in /p2p/. */
  readonly bootstrapAddrs: readonly string[]
  /** Rendezvous points to register at, each ending in /p2p/. */
  readonly rendezvousAddrs: readonly string[]
  /** Relays to reserve on, each ending in /p2p/. */
  readonly relayAddrs: readonly string[]
  readonly mdns: boolean
  /** Service names, such as `_p2p._udp.local`. */
  readonly mdnsTags: readonly string[]
  readonly rendezvousNamespaces: readonly string[]
  /** Protocol ids of the Kademlia networks that the bridge is in; empty for none. */
  readonly kadProtocols: readonly string[]
  /** Topics of gossip that the bridge carries whoever is here. */
  readonly gossipTopics: readonly string[]
  readonly upnp: boolean
  /** IP addresses and CIDR ranges that the bridge dials whoever told them, though they are not public. */
  readonly dialPrivate: readonly string[]
  readonly logLevel: LogLevel
  /** Who may read `/metrics`. */
  readonly metrics: MetricsReaders
  readonly iceServers: readonly IceServer[]
  /** How long running circuits may go on at a stop. */
  readonly drainMs: number
}

/** IP addresses and CIDR ranges, or nobody, or everybody. */
export type MetricsReaders = 'off' | 'public' | readonly string[]

/** The secret itself is read when it is needed, and shown nowhere. */
export type TurnSecret = { readonly file: string } | { readonly text: string }

/** No flag and no default: not to be typed, nor shown. */
export const TURN_SECRET_VARIABLE = 'FOOTBRIDGE_TURN_SECRET'

export const SETTINGS = {
  config: setting({
    flag: '--config <file>',
    env: 'FOOTBRIDGE_CONFIG',
    help: 'TOML file of settings by their names without the dashes, such as port = 9000; flags and variables win over it',
    default: undefined,
    reason: 'a service has its settings in one place to review and to keep',
    parse: (text) => resolve(nonEmpty(text)),
  }),
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
  dataDir: setting({
    flag: '--data-dir <folder>',
    env: 'FOOTBRIDGE_DATA_DIR',
    help: 'folder of the identity key and the store',
    default: './data',
    reason: 'all state in one place to keep and to move; made with access for its owner alone',
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
  name: setting({
    flag: '--name <text>',
    env: 'FOOTBRIDGE_NAME',
    help: `what people see this bridge called, at most ${MAX_NAME_LENGTH} characters`,
    default: 'Footbridge',
    reason: 'a person with several bridges tells them apart by it',
    parse: parseName,
  }),
  guests: setting({
    flag: '--guests',
    env: 'FOOTBRIDGE_GUESTS',
    help: 'let visitors in without a token, with small limits, for a day (true or false)',
    default: 'false',
    reason: 'off: an operator wants no stranger unless they say so',
    parse: parseSwitch,
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
  trustedProxies: setting({
    flag: '--trusted-proxies <list>',
    env: 'FOOTBRIDGE_TRUSTED_PROXIES',
    help: 'IP addresses and CIDR ranges, comma-separated, whose X-Forwarded-For and -Proto are believed: 127.0.0.1,10.0.0.0/8',
    default: undefined,
    reason: 'none: anybody can send these headers, and rate limits go by address',
    parse: (text) => parseList(text, parseAddressRange),
  }),
  announceAddrs: setting({
    flag: '--announce-addrs <list>',
    env: 'FOOTBRIDGE_ANNOUNCE_ADDRS',
    help: 'multiaddrs, comma-separated, at which native peers reach this bridge: /dns4/bridge.example/tcp/8081',
    default: undefined,
    reason: 'behind NAT or a proxy the addresses it listens on are not those that others dial',
    parse: (text) => parseList(text, parseMultiaddr),
  }),
  listenAddrs: setting({
    flag: '--listen-addrs <list>',
    env: 'FOOTBRIDGE_LISTEN_ADDRS',
    help: 'multiaddrs, comma-separated, for native peers: /ip4/0.0.0.0/tcp/4001,/ip6/::/udp/4001/quic-v1,/ip4/0.0.0.0/udp/4002/webrtc-direct',
    default: 'TCP on p2p-port, QUIC on the UDP port after it, WebRTC-direct on the next, all on host',
    reason: 'a bridge with several addresses, or one that shares a firewall with others, has its own; each one listed must be had',
    parse: (text) => parseAddressList(text, parseListenAddress),
  }),
  bootstrapAddrs: setting({
    flag: '--bootstrap-addrs <list>',
    env: 'FOOTBRIDGE_BOOTSTRAP_ADDRS',
    help: 'multiaddrs, comma-separated, of peers to begin with, each ending in /p2p/<id>: /dns4/boot.example/tcp/4001/p2p/12D3…',
    default: undefined,
    reason: 'none: the bridge joins nobody’s network unless the operator says which',
    parse: (text) => parseAddressList(text, parsePeerAddress),
  }),
  rendezvousAddrs: setting({
    flag: '--rendezvous-addrs <list>',
    env: 'FOOTBRIDGE_RENDEZVOUS_ADDRS',
    help: 'multiaddrs, comma-separated, of rendezvous points to register and look at, each ending in /p2p/<id>',
    default: undefined,
    reason: 'none: being found is for the operator to want; this bridge is a rendezvous point itself',
    parse: (text) => parseAddressList(text, parsePeerAddress),
  }),
  relayAddrs: setting({
    flag: '--relay-addrs <list>',
    env: 'FOOTBRIDGE_RELAY_ADDRS',
    help: 'multiaddrs, comma-separated, of relays to reserve on, each ending in /p2p/<id>',
    default: undefined,
    reason: 'a bridge that nobody can dial is reached over another relay; one with a public address needs none',
    parse: (text) => parseAddressList(text, parseRelayAddress),
  }),
  disableMdns: setting({
    flag: '--disable-mdns',
    env: 'FOOTBRIDGE_DISABLE_MDNS',
    help: 'neither look for peers on the local network nor be found there (true or false)',
    default: 'false',
    reason: 'on: peers beside the bridge find it without being told; on a hosted server there is nobody to find',
    parse: parseSwitch,
  }),
  mdnsTags: setting({
    flag: '--mdns-tags <list>',
    env: 'FOOTBRIDGE_MDNS_TAGS',
    help: 'service names, comma-separated, to use on the local network: _p2p._udp.local,goop-mdns.local',
    default: '_p2p._udp.local',
    reason: 'the name of the libp2p specification; some programs have one of their own, as goop-mdns.local, and see no other',
    parse: (text) => parseNames(text, MAX_MDNS_TAGS, parseMdnsTag),
  }),
  rendezvousNamespace: setting({
    flag: '--rendezvous-namespace <list>',
    env: 'FOOTBRIDGE_RENDEZVOUS_NAMESPACE',
    help: 'namespaces, comma-separated, under which the bridge and its visible peers are registered',
    default: 'footbridge',
    reason: 'peers of one kind meet in one namespace; give those of the programs that should find people here',
    parse: (text) => parseNames(text, MAX_RENDEZVOUS_NAMESPACES, parseNamespace),
  }),
  kadProtocols: setting({
    flag: '--kad-protocols <list>',
    env: 'FOOTBRIDGE_KAD_PROTOCOLS',
    help: 'protocol ids, comma-separated, of the Kademlia networks to be in: /ipfs/kad/1.0.0,/calimero/kad/1.0.0; off for none',
    default: '/ipfs/kad/1.0.0',
    reason: 'what most programs on libp2p speak; each network is a table of its own',
    parse: (text) => (text === 'off' ? [] : parseNames(text, MAX_KAD_PROTOCOLS, parseProtocolId)),
  }),
  gossipTopics: setting({
    flag: '--gossip-topics <list>',
    env: 'FOOTBRIDGE_GOSSIP_TOPICS',
    help: 'topics of gossip, comma-separated, to carry whoever is here: universal-connectivity',
    default: undefined,
    reason:
      'none: the bridge carries what its sessions use, from the first to the last of them; a room that should hold together without them is named here',
    parse: (text) => parseNames(text, MAX_CONFIGURED_TOPICS, parseTopic),
  }),
  upnp: setting({
    flag: '--upnp <switch>',
    env: 'FOOTBRIDGE_UPNP',
    help: 'ask the router to let peers in on the listening ports: on or off',
    default: 'off',
    reason: 'a program that opens a hole in a firewall does so only when it is told to',
    parse: parseSwitch,
  }),
  dialPrivate: setting({
    flag: '--dial-private <list>',
    env: 'FOOTBRIDGE_DIAL_PRIVATE',
    help: 'IP addresses and CIDR ranges, comma-separated, that the bridge may dial although they are not public: 10.8.0.0/16',
    default: undefined,
    reason:
      'none: strangers tell addresses too, and none of them may make the bridge knock at its own machine or network; a network of peers on a VPN needs its range here',
    parse: (text) => parseList(text, parseAddressRange),
  }),
  logLevel: setting({
    flag: '--log-level <level>',
    env: 'FOOTBRIDGE_LOG_LEVEL',
    help: `${LOG_LEVELS.join(', ')}; the log goes to standard error`,
    default: 'info',
    reason: 'at info a quiet bridge is quiet',
    parse: parseLogLevel,
  }),
  metrics: setting({
    flag: '--metrics <list>',
    env: 'FOOTBRIDGE_METRICS',
    help: 'who may read /metrics: IP addresses and CIDR ranges, comma-separated; off for nobody, public for everybody',
    default: '127.0.0.1,::1',
    reason: 'how much a bridge carries and for how many helps whoever wants to overload it; Prometheus elsewhere is named here',
    parse: parseMetricsReaders,
  }),
  iceServers: setting({
    flag: '--ice-servers <list>',
    env: 'FOOTBRIDGE_ICE_SERVERS',
    help: 'comma-separated stun:host:port and turn:user:password@host:port for direct connections between browsers',
    default: undefined,
    reason: 'none: no third party learns people’s addresses unless the operator says so; direct paths then work where no NAT is in between',
    parse: (text) => parseList(text, parseIceServer),
  }),
  stun: setting({
    flag: '--stun <switch>',
    env: 'FOOTBRIDGE_STUN',
    help: 'answer STUN on the UDP ports with the numbers of wt-port and p2p-port: on or off',
    default: 'on',
    reason: 'browsers behind a NAT connect directly only if somebody tells them their address; our own STUN tells nobody else who asks',
    parse: parseSwitch,
  }),
  turnUrls: setting({
    flag: '--turn-url <list>',
    env: 'FOOTBRIDGE_TURN_URL',
    help: 'comma-separated turn:host:port and turns:host:port of your TURN server; each session gets credentials of its own',
    default: undefined,
    reason: 'none: what browsers cannot send each other directly goes over the bridge, which needs no TURN',
    parse: (text) => parseList(text, parseTurnUrl),
  }),
  turnSecretFile: setting({
    flag: '--turn-secret-file <file>',
    env: 'FOOTBRIDGE_TURN_SECRET_FILE',
    help: `file with the secret that your TURN server shares with the bridge (coturn: static-auth-secret); or put the secret in ${TURN_SECRET_VARIABLE}`,
    default: undefined,
    reason: 'a secret on a command line is seen by everybody on the machine',
    parse: (text) => resolve(nonEmpty(text)),
  }),
  drain: setting({
    flag: '--drain <seconds>',
    env: 'FOOTBRIDGE_DRAIN',
    help: `how long running circuits may go on when the bridge is asked to stop, 0 to ${MAX_DRAIN_SECONDS} seconds; a second signal stops at once`,
    default: '2',
    reason:
      'browsers are told and move their talks meanwhile; without circuits nothing is waited for; below what supervisors wait before they kill',
    parse: parseDrain,
  }),
} as const

/** Settings whose default follows from others. */
const DEFAULTS_IN_WORDS: ReadonlySet<SettingName> = new Set(['p2pPort', 'wtPort', 'wtHost', 'listenAddrs'])
/** ICE servers carry passwords, and a TURN server might by mistake. */
const CONFIDENTIAL: ReadonlySet<SettingName> = new Set(['iceServers', 'turnUrls'])
const VARIABLES: ReadonlySet<string> = new Set([...Object.values(SETTINGS).map(({ env }) => env), TURN_SECRET_VARIABLE])

export type SettingName = keyof typeof SETTINGS
export type Flags = FlagsOf<typeof SETTINGS>

/** @throws ConfigError naming the flag, the variable or the file and its key, the value and the reason. */
export function readConfig(flags: Flags, env: Environment, file?: SettingsFile<SettingName>): Config {
  refuseUnknownVariables(env, VARIABLES, 'start')
  const { read, required } = createSettingReader(SETTINGS, {
    flags,
    env,
    file,
    defaultsInWords: DEFAULTS_IN_WORDS,
    confidential: CONFIDENTIAL,
  })

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

  const stun = required('stun')
  const turn = readTurn(read('turnUrls') ?? [], read('turnSecretFile'), env[TURN_SECRET_VARIABLE])

  return {
    host,
    port,
    p2pPort,
    wtPort: wtPort === 'off' ? undefined : wtPort,
    wtHost: read('wtHost') ?? host,
    dataDir: required('dataDir'),
    publicUrl: read('publicUrl'),
    name: required('name'),
    guests: required('guests'),
    tls: certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile },
    trustedProxies: read('trustedProxies') ?? [],
    announceAddrs: read('announceAddrs') ?? [],
    listenAddrs: read('listenAddrs') ?? [],
    bootstrapAddrs: read('bootstrapAddrs') ?? [],
    rendezvousAddrs: read('rendezvousAddrs') ?? [],
    relayAddrs: read('relayAddrs') ?? [],
    mdns: !required('disableMdns'),
    mdnsTags: required('mdnsTags'),
    rendezvousNamespaces: required('rendezvousNamespace'),
    kadProtocols: required('kadProtocols'),
    gossipTopics: read('gossipTopics') ?? [],
    upnp: required('upnp'),
    dialPrivate: read('dialPrivate') ?? [],
    stun,
    turn,
    logLevel: required('logLevel'),
    metrics: required('metrics'),
    iceServers: read('iceServers') ?? [],
    drainMs: required('drain'),
  }
}

function readTurn(urls: readonly string[], file: string | undefined, text: string | undefined): Config['turn'] {
  const secrets: TurnSecret[] = [...(file === undefined ? [] : [{ file }]), ...(text === undefined || text === '' ? [] : [{ text }])]
  const [secret] = secrets
  if (urls.length === 0 && secret === undefined) return undefined
  if (secrets.length > 1) throw new ConfigError(`--turn-secret-file and ${TURN_SECRET_VARIABLE} are both given: give one of them`)
  if (secret === undefined)
    throw new ConfigError(`--turn-url needs the secret of the TURN server: give --turn-secret-file, or set ${TURN_SECRET_VARIABLE}`)
  if (urls.length === 0) throw new ConfigError('there is a TURN secret and no TURN server: give --turn-url turn:turn.example:3478')
  return { urls, secret }
}

export function isLoopback(host: string): boolean {
  return host.startsWith('127.') || host === '::1'
}

function nonEmpty(text: string): string {
  if (text.trim() === '') throw new Error('must not be empty')
  return text
}

function parseHost(text: string): string {
  if (text === 'localhost') return '127.0.0.1'
  if (isIP(text) === 0) throw new Error('must be an IP address of this machine, such as 127.0.0.1, 0.0.0.0 or ::')
  return text
}

function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new Error('must be a whole number from 0 to 65535')
  return port
}

function parseOrigin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) throw new Error('must be a URL such as https://bridge.example')
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '')
    throw new Error('must be an address alone, without a path: https://bridge.example')
  return url.origin
}

function parseName(text: string): string {
  const name = nonEmpty(text).trim()
  if (name.length > MAX_NAME_LENGTH) throw new Error(`must have at most ${MAX_NAME_LENGTH} characters`)
  return name
}

function parseSwitch(text: string): boolean {
  if (['true', '1', 'yes', 'on'].includes(text)) return true
  if (['false', '0', 'no', 'off'].includes(text)) return false
  throw new Error('must be true or false')
}

function parseList<Value>(text: string, parseItem: (item: string) => Value): Value[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
    .map(parseItem)
}

function parseAddressRange(text: string): string {
  const [address, prefix, ...rest] = text.split('/')
  const version = isIP(address ?? '')
  const bits = version === 4 ? 32 : 128
  const fits = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits)
  if (version === 0 || rest.length > 0 || !fits)
    throw new Error(`must list IP addresses or CIDR ranges; ${JSON.stringify(text)} is neither`)
  return text
}

function parseMultiaddr(text: string): string {
  try {
    const address = multiaddr(text)
    if (address.getComponents().length === 0 || text.includes('/p2p/')) throw new Error('not a listening address')
    return address.toString()
  } catch {
    throw new Error(`must list multiaddrs without /p2p, such as /dns4/bridge.example/tcp/8081; ${JSON.stringify(text)} is none`)
  }
}

function parseAddressList(text: string, parse: (address: Multiaddr) => string | undefined): string[] {
  const addresses = parseList(text, (item) => {
    const address = readMultiaddr(item)
    const reason = address === undefined ? 'no multiaddr' : parse(address)
    if (address === undefined || reason !== undefined) throw new Error(`lists ${JSON.stringify(item)}, which is ${reason}`)
    return address.toString()
  })
  if (addresses.length > MAX_NETWORK_ADDRESSES)
    throw new Error(`lists ${addresses.length} addresses; ${MAX_NETWORK_ADDRESSES} are the most`)
  return [...new Set(addresses)]
}

function readMultiaddr(text: string): Multiaddr | undefined {
  try {
    const address = multiaddr(text)
    return address.getComponents().length === 0 ? undefined : address
  } catch {
    return undefined
  }
}

/** @returns why the bridge cannot listen there. */
function parseListenAddress(address: Multiaddr): string | undefined {
  const [ip, ...rest] = address.getComponents().map(({ name }) => name)
  const kind = rest.join('/')
  if (rest.includes('p2p')) return 'an address of a peer: give it without /p2p/'
  if (rest.includes('ws') || rest.includes('wss')) return 'one of WebSocket, which is on --port'
  if (rest.includes('webtransport')) return 'one of WebTransport, which is on --wt-port'
  if (ip !== 'ip4' && ip !== 'ip6') return 'not an IP address of this machine, such as /ip4/0.0.0.0/tcp/4001'
  if (!['tcp', 'udp/quic-v1', 'udp/webrtc-direct'].includes(kind))
    return 'neither TCP nor QUIC (/udp/4001/quic-v1) nor /udp/4002/webrtc-direct'
  return undefined
}

/** @returns why it does not lead to one certain peer. */
function parsePeerAddress(address: Multiaddr): string | undefined {
  const last = address.getComponents().at(-1)
  if (last?.name !== 'p2p' || last.value === undefined)
    return 'without a peer: it must end in /p2p/<id>, so that nobody else can answer there'
  try {
    peerIdFromString(last.value)
  } catch {
    return 'of a peer whose id cannot be read: it must end in /p2p/<id>'
  }
  return address.getComponents().length === 1 ? 'a peer without an address, such as /dns4/boot.example/tcp/4001/p2p/<id>' : undefined
}

function parseRelayAddress(address: Multiaddr): string | undefined {
  if (address.getComponents().some(({ name }) => name === 'p2p-circuit'))
    return 'itself behind a relay, and nobody relays a relayed connection'
  return parsePeerAddress(address)
}

function parseNames(text: string, most: number, parse: (item: string) => string): string[] {
  const names = [...new Set(parseList(text, parse))]
  if (names.length === 0) throw new Error('must not be empty')
  if (names.length > most) throw new Error(`lists ${names.length}; ${most} are the most`)
  return names
}

/** RFC 6762: everything on the local network is under `local`. */
function parseMdnsTag(tag: string): string {
  if (!/^(?=.{1,128}$)([a-z0-9_][a-z0-9_-]{0,62}\.)+local$/i.test(tag))
    throw new Error(`must list names under .local, such as _p2p._udp.local; ${JSON.stringify(tag)} is none`)
  return tag
}

/** As the rendezvous specification has it. */
function parseNamespace(namespace: string): string {
  if (Buffer.byteLength(namespace) > 255) throw new Error('has a namespace of more than 255 bytes')
  return namespace
}

function parseTopic(topic: string): string {
  if (Buffer.byteLength(topic) > 256) throw new Error('has a topic of more than 256 bytes')
  return topic
}

function parseProtocolId(id: string): string {
  if (!/^\/[!-~]{1,127}$/.test(id)) throw new Error(`must list protocol ids such as /ipfs/kad/1.0.0; ${JSON.stringify(id)} is none`)
  return id
}

/** @returns milliseconds. */
function parseDrain(text: string): number {
  const seconds = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || seconds > MAX_DRAIN_SECONDS)
    throw new Error(`must be a number of seconds from 0 to ${MAX_DRAIN_SECONDS}`)
  return seconds * 1_000
}

function parseLogLevel(text: string): LogLevel {
  const level = LOG_LEVELS.find((known) => known === text)
  if (level === undefined) throw new Error(`must be one of ${LOG_LEVELS.join(', ')}`)
  return level
}

export function parseMetricsReaders(text: string): MetricsReaders {
  if (text === 'off' || text === 'public') return text
  const ranges = parseList(text, parseAddressRange)
  if (ranges.length === 0) throw new Error('must not be empty; off is for nobody')
  return ranges
}

/** RFC 7065. Not turn://, which browsers refuse. */
function parseTurnUrl(text: string): string {
  if (!/^turns?:(?:[^:@\s?/[\]]+|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?(?:\?transport=(?:udp|tcp))?$/.test(text))
    throw new Error(`must list TURN servers such as turn:turn.example:3478 or turns:turn.example:5349?transport=tcp, without a user`)
  return text
}

/** RFC 7064 and RFC 7065, with `user:password@` before a TURN host; those have no form for credentials. */
function parseIceServer(text: string): IceServer {
  const match = /^(stuns?|turns?):(?:([^:@]+):([^@]+)@)?([^@\s?]+(?:\?transport=(?:udp|tcp))?)$/.exec(text)
  const [, scheme = '', username, credential, rest = ''] = match ?? []
  if (match === null || rest.startsWith('/'))
    throw new Error('must list servers such as stun:stun.example:3478 or turn:user:password@turn.example:3478')
  const isTurn = scheme.startsWith('turn')
  if (isTurn && credential === undefined) throw new Error('has a TURN server without user:password@; browsers refuse it')
  if (!isTurn && credential !== undefined) throw new Error('has a STUN server with a password; STUN takes none')
  return isTurn ? { urls: [`${scheme}:${rest}`], username, credential } : { urls: [`${scheme}:${rest}`] }
}
