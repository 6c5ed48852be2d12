/**
 * The settings of `footbridge relay` and `footbridge rendezvous`: those that they share with a bridge, by the same names and with defaults of their own, and
 * what the relay alone has. Ports and folders are those that dashboards and scripts for such services expect.
 * Not here: how settings are read (../config/settings.ts), and the bridge's (../config/config.ts).
 */
import { peerIdFromString } from '@libp2p/peer-id'
import { parseBytes, parseCount, parseRate } from '../cli/units.ts'
import { SETTINGS } from '../config/config.ts'
import type { LogLevel, MetricsReaders } from '../config/operation.ts'
import { MAX_ALLOWED_PEERS } from '../limits.ts'
import { RELAY_LIMITS } from '../relay/limits.ts'
import {
  ConfigError,
  createSettingReader,
  refuseUnknownVariables,
  setting,
  type Environment,
  type FlagsOf,
  type SettingsFile,
  type SettingTable,
} from '../config/settings.ts'

export interface RoleConfig {
  readonly host: string
  /** HTTP, and libp2p over WebSocket. 0 lets the system choose. */
  readonly port: number
  /** Of libp2p over TCP and QUIC, without /p2p. */
  readonly listenAddrs: readonly string[]
  /** Announced instead of those; empty announces them. */
  readonly announceAddrs: readonly string[]
  /** Absolute. */
  readonly dataDir: string
  readonly trustedProxies: readonly string[]
  readonly metrics: MetricsReaders
  readonly logLevel: LogLevel
}

export interface RelayConfig extends RoleConfig {
  /** PeerIDs that may reserve; undefined for anybody. */
  readonly allow: ReadonlySet<string> | undefined
  /** At once, in all. */
  readonly reservations: number | null
  readonly circuits: number | null
  /** Of all together. */
  readonly bytesPerSecond: number | null
  readonly bytesPerDay: number | null
  /** What one circuit may carry each way, and how long. */
  readonly circuitBytes: number
  readonly circuitSeconds: number
}

/** What relays that are open to anybody let a circuit do: enough to arrange a direct connection and for a few words. */
const OPEN_CIRCUIT_BYTES = 128 * 1024
const OPEN_CIRCUIT_SECONDS = 120

/** @param tcp the number of the port for native peers. */
const shared = (name: 'relay' | 'rendezvous', http: number, tcp: number) =>
  ({
    config: SETTINGS.config,
    host: setting({
      ...SETTINGS.host,
      reason: 'only this machine, until the operator decides who else; others need 0.0.0.0 or an address that they reach',
    }),
    port: setting({
      ...SETTINGS.port,
      help: 'TCP port of /healthz, /health, /info and /metrics, and of libp2p over WebSocket; 0 lets the system choose',
      default: String(http),
      reason: 'where monitoring of such services looks; a bridge with default ports has 8081 already, so beside one give another',
    }),
    p2pPort: setting({
      ...SETTINGS.p2pPort,
      help: 'port for native libp2p peers on host: TCP, and UDP for QUIC; 0 lets the system choose',
      default: String(tcp),
      reason: 'the same number for both is one thing less to remember',
    }),
    listenAddrs: setting({
      ...SETTINGS.listenAddrs,
      help: 'multiaddrs, comma-separated, for native peers: /ip4/0.0.0.0/tcp/4001,/ip6/::/udp/4001/quic-v1',
      default: 'TCP and QUIC on p2p-port, on host',
    }),
    announceAddrs: SETTINGS.announceAddrs,
    dataDir: setting({
      ...SETTINGS.dataDir,
      help: 'folder of the identity key',
      default: `./data/${name}`,
      reason: 'each role is a peer of its own, and other peers know it by this key: keep it',
    }),
    trustedProxies: SETTINGS.trustedProxies,
    metrics: SETTINGS.metrics,
    logLevel: SETTINGS.logLevel,
  }) as const satisfies SettingTable

export const RENDEZVOUS_SETTINGS = shared('rendezvous', 8082, 4004)

export const RELAY_SETTINGS = {
  ...shared('relay', 8081, 4003),
  allow: setting({
    flag: '--allow <list>',
    env: 'FOOTBRIDGE_ALLOW',
    help: 'PeerIDs, comma-separated, that may reserve; anybody may call them',
    default: 'anybody',
    reason: 'a relay that is open to anybody carries little for each; one for certain peers carries what they need',
    parse: parseAllow,
  }),
  reservations: setting({
    flag: '--reservations <number>',
    env: 'FOOTBRIDGE_RESERVATIONS',
    help: 'peers that may be reachable through this relay at once, or none for no limit',
    default: '128',
    reason: 'each holds a connection; a relay for many says so',
    parse: parseCount,
  }),
  circuits: setting({
    flag: '--circuits <number>',
    env: 'FOOTBRIDGE_CIRCUITS',
    help: 'circuits at once, or none for no limit',
    default: '1024',
    reason: 'each may hold a megabyte while its reader is slow',
    parse: parseCount,
  }),
  rate: setting({
    flag: '--rate <rate>',
    env: 'FOOTBRIDGE_RATE',
    help: 'relayed bytes a second in all, such as 10MB/s, or none for no limit',
    default: '10MB/s',
    reason: 'a relay that somebody found must not fill the line of the machine that it runs on',
    parse: parseRate,
  }),
  perDay: setting({
    flag: '--per-day <amount>',
    env: 'FOOTBRIDGE_PER_DAY',
    help: 'relayed bytes a day (UTC) in all, such as 500GB, or none for no limit; begins anew at a restart',
    default: 'none',
    reason: 'where traffic is paid for, this is what it may cost',
    parse: parseBytes,
  }),
  circuitBytes: setting({
    flag: '--circuit-bytes <amount>',
    env: 'FOOTBRIDGE_CIRCUIT_BYTES',
    help: 'what one circuit may carry each way, such as 10MB, or none',
    default: '128KiB for anybody, none with --allow',
    reason: 'enough to arrange a direct connection, which is what an open relay is for',
    parse: parseBytes,
  }),
  circuitSeconds: setting({
    flag: '--circuit-time <seconds>',
    env: 'FOOTBRIDGE_CIRCUIT_TIME',
    help: 'how long one circuit may last, or none',
    default: '120 for anybody, none with --allow',
    reason: 'see --circuit-bytes',
    parse: parseCount,
  }),
} as const

/** @throws ConfigError */
export function readRelayConfig(
  flags: FlagsOf<typeof RELAY_SETTINGS>,
  env: Environment,
  file?: SettingsFile<keyof typeof RELAY_SETTINGS>,
): RelayConfig {
  refuseUnknownVariables(env, variablesOf(RELAY_SETTINGS), 'relay')
  const inWords = ['listenAddrs', 'circuitBytes', 'circuitSeconds'] as const
  const { read, required } = createSettingReader(RELAY_SETTINGS, { flags, env, file, defaultsInWords: new Set(inWords) })
  const allow = required('allow')
  const isOpen = allow === 'anybody'
  const [bytes, seconds] = [read('circuitBytes'), read('circuitSeconds')]
  return {
    ...readShared(RELAY_SETTINGS, flags, env, file),
    allow: isOpen ? undefined : new Set(allow),
    reservations: required('reservations'),
    circuits: required('circuits'),
    bytesPerSecond: required('rate'),
    bytesPerDay: required('perDay'),
    // What is given as none is null, and what is not given undefined.
    circuitBytes: (bytes === undefined && isOpen ? OPEN_CIRCUIT_BYTES : bytes) ?? RELAY_LIMITS.circuitBytes,
    circuitSeconds: (seconds === undefined && isOpen ? OPEN_CIRCUIT_SECONDS : seconds) ?? RELAY_LIMITS.circuitSeconds,
  }
}

/** @throws ConfigError */
export function readRendezvousConfig(
  flags: FlagsOf<typeof RENDEZVOUS_SETTINGS>,
  env: Environment,
  file?: SettingsFile<keyof typeof RENDEZVOUS_SETTINGS>,
): RoleConfig {
  refuseUnknownVariables(env, variablesOf(RENDEZVOUS_SETTINGS), 'rendezvous')
  return readShared(RENDEZVOUS_SETTINGS, flags, env, file)
}

type Shared = ReturnType<typeof shared>

function readShared(table: Shared, flags: FlagsOf<Shared>, env: Environment, file: SettingsFile<keyof Shared> | undefined): RoleConfig {
  const { read, required } = createSettingReader(table, { flags, env, file, defaultsInWords: new Set(['listenAddrs'] as const) })
  const [host, port, p2pPort] = [required('host'), required('port'), required('p2pPort')]
  const listenAddrs = read('listenAddrs') ?? defaultAddresses(host, p2pPort)
  if (listenAddrs.length === 0) throw new ConfigError('--listen-addrs "" must not be empty')
  for (const address of listenAddrs)
    if (address.includes('/webrtc-direct'))
      throw new ConfigError(`--listen-addrs lists "${address}": this role has TCP, QUIC and WebSocket alone`)
  if (listenAddrs.some((address) => address.endsWith(`/tcp/${port}`)) && port !== 0)
    throw new ConfigError(`--port ${port} is the TCP port of native peers too: libp2p over TCP needs a port of its own`)
  return {
    host,
    port,
    listenAddrs,
    announceAddrs: read('announceAddrs') ?? [],
    dataDir: required('dataDir'),
    trustedProxies: read('trustedProxies') ?? [],
    metrics: required('metrics'),
    logLevel: required('logLevel'),
  }
}

function defaultAddresses(host: string, port: number): string[] {
  const bases = host === '::' ? ['/ip4/0.0.0.0', '/ip6/::'] : [`/${host.includes(':') ? 'ip6' : 'ip4'}/${host}`]
  return bases.flatMap((base) => [`${base}/tcp/${port}`, `${base}/udp/${port}/quic-v1`])
}

function variablesOf(table: SettingTable): Set<string> {
  return new Set(Object.values(table).map(({ env }) => env))
}

function parseAllow(text: string): 'anybody' | string[] {
  if (text === 'anybody') return text
  const ids = [...new Set(text.split(',').map((item) => item.trim()))].filter((item) => item !== '')
  if (ids.length === 0) throw new Error('must not be empty; anybody lets anybody reserve')
  if (ids.length > MAX_ALLOWED_PEERS) throw new Error(`lists ${ids.length} peers; ${MAX_ALLOWED_PEERS} are the most`)
  return ids.map((id) => {
    try {
      return peerIdFromString(id).toString()
    } catch {
      throw new Error(`must list PeerIDs such as 12D3KooW…; ${JSON.stringify(id)} is none`)
    }
  })
}
