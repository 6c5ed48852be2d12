/**
 * The bridge's log: pino with what must never be written taken out, and libp2p's own log brought into it at debug.
 * Not here: where the log goes (main.ts hands the stream in).
 */
import type { ComponentLogger, Logger } from '@libp2p/interface'
import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino'

export type Log = PinoLogger

/** Names under which a secret could stand in a logged object, at the top or one level down. */
const SECRETS = ['token', 'accessToken', 'authorization', 'Authorization', 'privateKey', 'signature', 'credential', 'passphrase', 'cookie']

/** Bridge tokens and JWTs inside texts, whatever carried them there. */
const SECRET_TEXT = /fb1_[A-Za-z0-9_-]{20,}|eyJ[\w-]{8,}\.[\w-]+\.[\w-]+/g

export function createLog(options: { readonly level: string; readonly destination?: DestinationStream }): Log {
  const settings = {
    level: options.level,
    base: null,
    redact: { paths: [...SECRETS, ...SECRETS.map((name) => `*.${name}`), ...SECRETS.map((name) => `*.*.${name}`)], censor: '[removed]' },
    hooks: { streamWrite: (line: string) => line.replace(SECRET_TEXT, '[removed]') },
  }
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination)
}

/** libp2p logs with printf-like formats of its own; they are only rendered when debug is on. */
export function libp2pLogger(log: Log): ComponentLogger {
  return {
    forComponent(name) {
      return componentLogger(log, name)
    },
  }
}

function componentLogger(log: Log, name: string): Logger {
  const enabled = log.isLevelEnabled('debug')
  const write =
    (level: 'debug' | 'trace') =>
    (format: unknown, ...values: unknown[]) => {
      if (log.isLevelEnabled(level)) log[level]({ component: name }, render(format, values))
    }
  return Object.assign(write('debug'), {
    error: write('debug'),
    trace: log.isLevelEnabled('trace') ? write('trace') : () => {},
    enabled,
    newScope: (scope: string) => (enabled ? componentLogger(log, `${name}:${scope}`) : quiet),
  })
}

const quiet: Logger = Object.assign(() => {}, { error: () => {}, trace: () => {}, enabled: false, newScope: () => quiet })

/** %p is a PeerID, %a a multiaddr, %e an error, the rest as in printf. */
function render(format: unknown, values: unknown[]): string {
  let index = 0
  return String(format).replace(/%([a-zA-Z%])/g, (_, kind: string) => {
    if (kind === '%') return '%'
    const value = values[index++]
    if (kind === 'e') return value instanceof Error ? (value.stack ?? value.message) : String(value)
    if (kind === 'o' || kind === 'O' || kind === 'j') {
      try {
        return JSON.stringify(value)
      } catch {
        return String(value)
      }
    }
    return String(value)
  })
}
