/**
 * `footbridge token create | limit | list | show | revoke`.
 * Not here: how the tokens are reached (operator.ts) and how amounts are written (units.ts).
 */
import type { TokenLimits } from '@footbridge/storage/ports'
import type { TokenSummary } from '../admin/token-summary.ts'
import type { Config } from '../config/config.ts'
import { CommandError, type Console } from './console.ts'
import { withOperator } from './operator.ts'
import { readOption } from './read-option.ts'
import { formatQrCode } from './qr-code.ts'
import { formatTable, printable } from './table.ts'
import { formatBytes, formatTime, parseBytes, parseCount, parseExpiry, parseRate } from './units.ts'

/** Options as they were typed. */
export interface CreateFlags {
  readonly label: string
  readonly expires: string
  readonly devices: string
  readonly perDay: string
  readonly rate: string
  readonly circuits: string
  readonly circuitRate: string
  readonly reservations: string
}
/** Those that are left out stay as they are. */
export type LimitFlags = Partial<Omit<CreateFlags, 'label' | 'expires'>>

export async function createTokenCommand(config: Config, console: Console, flags: CreateFlags, json: boolean): Promise<void> {
  const options = {
    label: flags.label,
    expiresAt: readOption('--expires', flags.expires, (text) => parseExpiry(text, console.clock())),
    ...readLimits(flags),
  }
  const created = await withOperator(config, console, (operator) => operator.createToken(options))
  if (json) return console.print(`${JSON.stringify({ ...created, ...options }, undefined, 2)}\n`)
  const qrCode = console.isTerminal ? `${formatQrCode(created.link, { colour: true })}\n` : ''
  console.print(
    [
      `Made ${created.id} for ${printable(options.label)}: ${describeLimits(options)}.`,
      '',
      `  token  ${created.token}`,
      `  link   ${created.link}`,
      '',
      `${qrCode}Hand it over now: it is stored only as a hash and will not be shown again.`,
      '',
    ].join('\n'),
  )
}

export async function limitTokenCommand(
  config: Config,
  console: Console,
  idOrLabel: string,
  flags: LimitFlags,
  json: boolean,
): Promise<void> {
  const changes = readLimits(flags)
  if (Object.keys(changes).length === 0)
    throw new CommandError('nothing to change: give at least one limit, see footbridge token limit --help')
  const token = await withOperator(config, console, async (operator) => {
    const { id } = findToken(await operator.listTokens(), idOrLabel)
    return operator.limitToken(id, changes)
  })
  if (json) return console.print(`${JSON.stringify(token, undefined, 2)}\n`)
  console.print(`${token.id} (${printable(token.label)}) may use: ${describeLimits(token)}.\n`)
}

export async function listTokensCommand(config: Config, console: Console, json: boolean): Promise<void> {
  const tokens = await withOperator(config, console, (operator) => operator.listTokens())
  if (json) return console.print(`${JSON.stringify(tokens, undefined, 2)}\n`)
  if (tokens.length === 0) return console.print('No tokens yet. Make one: footbridge token create --label "Alice"\n')
  const head = ['ID', 'LABEL', 'STATE', 'DEVICES', 'RELAYED TODAY', 'RATE', 'EXPIRES']
  console.print(formatTable(head, tokens.map(toRow)))
}

export async function showTokenCommand(config: Config, console: Console, idOrLabel: string, json: boolean): Promise<void> {
  const token = await withOperator(config, console, async (operator) => findToken(await operator.listTokens(), idOrLabel))
  if (json) return console.print(`${JSON.stringify(token, undefined, 2)}\n`)
  const facts = [
    ['label', printable(token.label)],
    ['state', token.revokedAt === null ? token.state : `revoked ${formatTime(token.revokedAt)}`],
    ['made', formatTime(token.createdAt)],
    ['expires', formatExpiry(token)],
    ['relayed today', `${formatBytes(token.bytesToday)} of ${formatLimit(token.bytesPerDay, formatBytes)}`],
    ['rate', formatRate(token)],
    ['circuits', describeCircuits(token)],
    ['virtual peers', formatLimit(token.maxReservations, String)],
    ['devices', formatDevices(token)],
  ]
  const devices = token.devices.map(({ peer, name, lastSeenAt }) => [peer, printable(name) || '-', formatTime(lastSeenAt)])
  console.print(
    formatTable(['id', token.id], facts) + (devices.length === 0 ? '' : `\n${formatTable(['PEER', 'NAME', 'LAST SEEN'], devices)}`),
  )
}

export async function revokeTokenCommand(config: Config, console: Console, idOrLabel: string, json: boolean): Promise<void> {
  const token = await withOperator(config, console, async (operator) => {
    const found = findToken(await operator.listTokens(), idOrLabel)
    await operator.revokeToken(found.id)
    return found
  })
  if (json) return console.print(`${JSON.stringify({ id: token.id, state: 'revoked' })}\n`)
  const already = token.state === 'revoked' ? ' It was revoked before.' : ''
  console.print(`Revoked ${token.id} (${printable(token.label)}): its sessions and circuits are ended.${already}\n`)
}

/** By id, or by a label that only one usable token has. @throws CommandError */
function findToken(tokens: readonly TokenSummary[], idOrLabel: string): TokenSummary {
  const byId = tokens.find((token) => token.id === idOrLabel)
  if (byId !== undefined) return byId
  const labelled = tokens.filter((token) => token.label === idOrLabel)
  const active = labelled.filter((token) => token.state === 'active')
  const candidates = active.length > 0 ? active : labelled
  if (candidates.length > 1)
    throw new CommandError(
      `${candidates.length} tokens are labelled ${JSON.stringify(idOrLabel)}: name one by id (${candidates.map(({ id }) => id).join(', ')})`,
    )
  if (candidates[0] === undefined)
    throw new CommandError(`no token has the id or label ${JSON.stringify(idOrLabel)}: see footbridge token list`)
  return candidates[0]
}

/** Only the limits that were given. @throws CommandError */
function readLimits(flags: LimitFlags): Partial<TokenLimits> {
  const { devices, perDay, rate, circuits, circuitRate, reservations } = flags
  return {
    ...(devices !== undefined && { maxDevices: readOption('--devices', devices, parseCount) }),
    ...(reservations !== undefined && { maxReservations: readOption('--reservations', reservations, parseCount) }),
    ...(circuits !== undefined && { maxCircuits: readOption('--circuits', circuits, parseCount) }),
    ...(circuitRate !== undefined && { circuitsPerMinute: readOption('--circuit-rate', circuitRate, parseCount) }),
    ...(perDay !== undefined && { bytesPerDay: readOption('--per-day', perDay, parseBytes) }),
    ...(rate !== undefined && { bytesPerSecond: readOption('--rate', rate, parseRate) }),
  }
}

function toRow(token: TokenSummary): string[] {
  const relayed = `${formatBytes(token.bytesToday)} / ${formatLimit(token.bytesPerDay, formatBytes)}`
  return [token.id, printable(token.label), token.state, formatDevices(token), relayed, formatRate(token), formatExpiry(token)]
}

type Limits = Partial<TokenLimits> & { readonly expiresAt: number | null }

function describeLimits(limits: Limits): string {
  const { maxDevices = null, bytesPerDay = null, expiresAt } = limits
  const devices = maxDevices === null ? 'any number of devices' : maxDevices === 1 ? 'one device' : `${maxDevices} devices`
  const perDay = bytesPerDay === null ? 'no daily limit' : `${formatBytes(bytesPerDay)} relayed a day`
  const rate = (limits.bytesPerSecond ?? null) === null ? 'any rate' : formatRate(limits)
  const circuits = (limits.maxCircuits ?? limits.circuitsPerMinute ?? null) === null ? '' : `, circuits: ${describeCircuits(limits)}`
  return `${devices}, ${perDay}, ${rate}${circuits}, ${expiresAt === null ? 'never expires' : `expires ${formatTime(expiresAt)}`}`
}

function describeCircuits({ maxCircuits = null, circuitsPerMinute = null }: Partial<TokenLimits>): string {
  return `${formatLimit(maxCircuits, String)} at once, ${formatLimit(circuitsPerMinute, String)} a minute`
}

const formatLimit = (limit: number | null, format: (value: number) => string): string => (limit === null ? 'no limit' : format(limit))
const formatDevices = (token: TokenSummary): string => `${token.devices.length} / ${formatLimit(token.maxDevices, String)}`
const formatRate = ({ bytesPerSecond = null }: Pick<Limits, 'bytesPerSecond'>): string =>
  formatLimit(bytesPerSecond, (rate) => `${formatBytes(rate)}/s`)
const formatExpiry = ({ expiresAt }: Pick<Limits, 'expiresAt'>): string => (expiresAt === null ? 'never' : formatTime(expiresAt))
