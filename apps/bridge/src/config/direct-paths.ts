/**
 * Settings of what helps two browsers to a direct path: the bridge's own STUN, the operator's TURN, and servers of others.
 * Not here: which of them a browser is told of (../ice-servers.ts).
 */
import { resolve } from 'node:path'
import { ConfigError, createSettingReader, setting, type Given } from './settings.ts'
import { nonEmpty, parseList, parseSwitch } from './values.ts'

export interface IceServer {
  readonly urls: string[]
  readonly username?: string | undefined
  readonly credential?: string | undefined
}

export interface DirectPaths {
  /** Whether the bridge answers STUN. */
  readonly stun: boolean
  /** The operator's TURN server; undefined for none. */
  readonly turn: { readonly urls: readonly string[]; readonly secret: TurnSecret } | undefined
  readonly iceServers: readonly IceServer[]
}

/** The secret itself is read when it is needed, and shown nowhere. */
export type TurnSecret = { readonly file: string } | { readonly text: string }

/** No flag and no default: not to be typed, nor shown. */
export const TURN_SECRET_VARIABLE = 'FOOTBRIDGE_TURN_SECRET'

export const DIRECT_PATHS = {
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
} as const

/** ICE servers carry passwords, and a TURN server might by mistake. */
const CONFIDENTIAL = new Set(['iceServers', 'turnUrls'] as const)

/** @throws ConfigError */
export function readDirectPaths(given: Given<typeof DIRECT_PATHS>): DirectPaths {
  const { read, required } = createSettingReader(DIRECT_PATHS, { ...given, confidential: CONFIDENTIAL })
  return {
    stun: required('stun'),
    turn: readTurn(read('turnUrls') ?? [], read('turnSecretFile'), given.env[TURN_SECRET_VARIABLE]),
    iceServers: read('iceServers') ?? [],
  }
}

function readTurn(urls: readonly string[], file: string | undefined, text: string | undefined): DirectPaths['turn'] {
  const secrets: TurnSecret[] = [...(file === undefined ? [] : [{ file }]), ...(text === undefined || text === '' ? [] : [{ text }])]
  const [secret] = secrets
  if (urls.length === 0 && secret === undefined) return undefined
  if (secrets.length > 1) throw new ConfigError(`--turn-secret-file and ${TURN_SECRET_VARIABLE} are both given: give one of them`)
  if (secret === undefined)
    throw new ConfigError(`--turn-url needs the secret of the TURN server: give --turn-secret-file, or set ${TURN_SECRET_VARIABLE}`)
  if (urls.length === 0) throw new ConfigError('there is a TURN secret and no TURN server: give --turn-url turn:turn.example:3478')
  return { urls, secret }
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
