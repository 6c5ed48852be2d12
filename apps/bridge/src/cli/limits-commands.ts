/**
 * `footbridge limits show | set`: what one peer, one address and the whole bridge may use of the relay.
 * Not here: what a token may use (token-commands.ts), where limits are kept and take effect (../relay-limits.ts).
 */
import type { Config } from '../config/config.ts'
import type { LimitChanges } from '../relay-limits.ts'
import type { BridgeLimits } from '../relay/relay.ts'
import { CommandError, type Console } from './console.ts'
import { withOperator } from './operator.ts'
import { readOption } from './read-option.ts'
import { formatTable } from './table.ts'
import { formatBytes, parseBytes, parseCount, parseRate } from './units.ts'

/** As they were typed; those left out stay as they are. */
export interface LimitsFlags {
  readonly reservations?: string
  readonly circuits?: string
  readonly circuitRate?: string
  readonly rate?: string
  readonly perDay?: string
}

const SCOPES = ['peer', 'address', 'bridge'] as const

export async function limitsCommand(config: Config, console: Console, json: boolean): Promise<void> {
  show(await withOperator(config, console, (operator) => operator.limits()), console, json)
}

export async function setLimitsCommand(config: Config, console: Console, scope: string, flags: LimitsFlags, json: boolean): Promise<void> {
  const known = SCOPES.find((each) => each === scope)
  if (known === undefined) throw new CommandError(`${JSON.stringify(scope)} has no limits: give one of ${SCOPES.join(', ')}`)
  const changes = readChanges(flags)
  if (Object.keys(changes).length === 0)
    throw new CommandError('nothing to change: give at least one limit, see footbridge limits set --help')
  show(await withOperator(config, console, (operator) => operator.changeLimits(known, changes)), console, json)
}

function readChanges({ reservations, circuits, circuitRate, rate, perDay }: LimitsFlags): LimitChanges {
  return {
    ...(reservations !== undefined && { reservations: readOption('--reservations', reservations, parseCount) }),
    ...(circuits !== undefined && { circuits: readOption('--circuits', circuits, parseCount) }),
    ...(circuitRate !== undefined && { circuitsPerMinute: readOption('--circuit-rate', circuitRate, parseCount) }),
    ...(rate !== undefined && { bytesPerSecond: readOption('--rate', rate, parseRate) }),
    ...(perDay !== undefined && { bytesPerDay: readOption('--per-day', perDay, parseBytes) }),
  }
}

function show(limits: BridgeLimits, console: Console, json: boolean): void {
  if (json) return console.print(`${JSON.stringify(limits, undefined, 2)}\n`)
  const head = ['OF', 'VIRTUAL PEERS', 'CIRCUITS', 'A MINUTE', 'RATE', 'A DAY']
  const rows = SCOPES.map((scope) => {
    const { reservations, circuits, circuitsPerMinute, bytesPerSecond, bytesPerDay } = limits[scope]
    return [
      NAMES[scope],
      format(reservations, String),
      format(circuits, String),
      format(circuitsPerMinute, String),
      format(bytesPerSecond, (rate) => `${formatBytes(rate)}/s`),
      format(bytesPerDay, formatBytes),
    ]
  })
  console.print(`${formatTable(head, rows)}\nLoopback counts as no address. What a token may use: footbridge token list\n`)
}

const NAMES = { peer: 'one peer', address: 'one address (IPv4 /24, IPv6 /48)', bridge: 'the bridge' } as const

const format = (limit: number | null, write: (value: number) => string): string => (limit === null ? 'no limit' : write(limit))
