/**
 * Settings of the service itself: where it keeps things, what it is called and for whom, its log and its numbers, how it stops.
 */
import { resolve } from 'node:path'
import { MAX_NAME_LENGTH } from '@footbridge/shared/limits'
import { MAX_DRAIN_SECONDS } from '../limits.ts'
import { createSettingReader, setting, type Given } from './settings.ts'
import { nonEmpty, parseAddressRange, parseList, parseSwitch } from './values.ts'

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** IP addresses and CIDR ranges, or nobody, or everybody. */
export type MetricsReaders = 'off' | 'public' | readonly string[]

export interface Operation {
  /** Absolute. */
  readonly dataDir: string
  readonly name: string
  readonly guests: boolean
  readonly logLevel: LogLevel
  /** Who may read `/metrics`. */
  readonly metrics: MetricsReaders
  /** How long running circuits may go on at a stop. */
  readonly drainMs: number
}

export const OPERATION = {
  dataDir: setting({
    flag: '--data-dir <folder>',
    env: 'FOOTBRIDGE_DATA_DIR',
    help: 'folder of the identity key and the store',
    default: './data',
    reason: 'all state in one place to keep and to move; made with access for its owner alone',
    parse: (text) => resolve(nonEmpty(text)),
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
  drain: setting({
    flag: '--drain <seconds>',
    env: 'FOOTBRIDGE_DRAIN',
    help: `how long running circuits may go on when the bridge is asked to stop, 0 to ${MAX_DRAIN_SECONDS} seconds; a second signal stops at once`,
    default: '2',
    reason:
      'browsers are told and move their talks meanwhile; without circuits nothing is waited for; below what supervisors wait before they kill',
    parse: parseDrain,
  }),
  config: setting({
    flag: '--config <file>',
    env: 'FOOTBRIDGE_CONFIG',
    help: 'TOML file of settings by their names without the dashes, such as port = 9000; flags and variables win over it',
    default: undefined,
    reason: 'a service has its settings in one place to review and to keep',
    parse: (text) => resolve(nonEmpty(text)),
  }),
} as const

/** @throws ConfigError */
export function readOperation(given: Given<typeof OPERATION>): Operation {
  const { required } = createSettingReader(OPERATION, given)
  return {
    dataDir: required('dataDir'),
    name: required('name'),
    guests: required('guests'),
    logLevel: required('logLevel'),
    metrics: required('metrics'),
    drainMs: required('drain'),
  }
}

function parseName(text: string): string {
  const name = nonEmpty(text).trim()
  if (name.length > MAX_NAME_LENGTH) throw new Error(`must have at most ${MAX_NAME_LENGTH} characters`)
  return name
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

/** @returns milliseconds. */
function parseDrain(text: string): number {
  const seconds = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || seconds > MAX_DRAIN_SECONDS)
    throw new Error(`must be a number of seconds from 0 to ${MAX_DRAIN_SECONDS}`)
  return seconds * 1_000
}
