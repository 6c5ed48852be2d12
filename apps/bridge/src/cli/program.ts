/**
 * The command line: which commands and options there are, and their help. Each command's work is in a file of its own beside this one.
 */
import { Command, CommanderError, Option } from 'commander'
import type { DestinationStream } from 'pino'
import { readConfig, SETTINGS, type Config, type Flags, type SettingName } from '../config/config.ts'
import { readRelayConfig, readRendezvousConfig, RELAY_SETTINGS, RENDEZVOUS_SETTINGS } from '../roles/role-config.ts'
import { readSettingsFile } from '../config/settings-file.ts'
import type { FlagsOf, Setting, SettingTable } from '../config/settings.ts'
import type { Console } from './console.ts'
import type { DoctorFlags } from './doctor-command.ts'
import { limitsCommand, setLimitsCommand, type LimitsFlags } from './limits-commands.ts'
import { networkCommand } from './network-command.ts'
import { peersCommand, type PeersFlags } from './peers-command.ts'
import { statusCommand } from './status-command.ts'
import {
  createTokenCommand,
  limitTokenCommand,
  listTokensCommand,
  revokeTokenCommand,
  showTokenCommand,
  type CreateFlags,
  type LimitFlags,
} from './token-commands.ts'

/** What the other commands need of the settings: where the store is, and what login links begin with. */
const SHARED_SETTINGS: readonly SettingName[] = ['config', 'dataDir', 'publicUrl', 'host', 'port']

export interface ProgramDependencies {
  readonly console: Console
  /** The log's stream, asked for when a bridge starts. */
  readonly openLog: () => DestinationStream
}

/** Runs one command. @param args without the program's own name. @returns the exit code; every failure has been told by then. */
export async function runProgram(args: readonly string[], dependencies: ProgramDependencies): Promise<number> {
  const { console } = dependencies
  let code = 0
  const fail = (): void => {
    code = 1
  }
  try {
    await createProgram(dependencies, fail).parseAsync([...args], { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0
    console.complain(`${explain(error)}\n`)
    return 1
  }
}

/** By name, because the classes of a bridge's parts are loaded only when one starts. */
const TOLD_IN_ONE_LINE = new Set(['ConfigError', 'CommandError', 'FootbridgeError', 'IdentityError'])

/** One line for whatever a person can mend; the stack for a fault of ours. */
function explain(error: unknown): string {
  if (error instanceof CommanderError) return explainUsage(error)
  if (error instanceof Error && TOLD_IN_ONE_LINE.has(error.name)) return `footbridge: ${error.message}`
  return `footbridge: a fault: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
}

function explainUsage(error: CommanderError): string {
  if (error.code === 'commander.help')
    return 'footbridge: that needs one of its commands: see footbridge token --help or footbridge limits --help'
  const reason = error.message
    .replace(/^error: /, '')
    .replaceAll(/\s*\n\s*/g, ' ')
    .trim()
  const isUnknownCommand = error.code === 'commander.excessArguments' && reason.includes("'start'")
  return `footbridge: ${isUnknownCommand ? 'there is no such command' : reason}: see footbridge --help`
}

/** @param fail makes the exit code 1 although the command has told all there is to tell. */
function createProgram({ console, openLog }: ProgramDependencies, fail: () => void): Command {
  const program = new Command('footbridge')
    .description('A person with nothing but a web browser becomes a peer of a libp2p network.')
    .version(console.version, '-v, --version', 'print the version')
    .helpOption('-h, --help', 'show this')
    .exitOverride()
    .configureOutput({ writeOut: (text) => console.print(text), writeErr: () => {} })
    .showSuggestionAfterError(true)
    .addHelpText('after', formatSettings)

  const configOf = (command: Command): Config => {
    const { env } = console
    const flags = command.opts<Flags>()
    return readConfig(flags, env, readSettingsFile({ table: SETTINGS, flags, env, command: 'start' }))
  }

  const start = program
    .command('start', { isDefault: true })
    .description('run the bridge (the default: footbridge --port 9000 runs it too)')
    .action(async (_flags, command: Command) => {
      const config = configOf(command)
      // libp2p and all the rest take most of a second to load; the other commands do without.
      const { startCommand } = await import('./start-command.ts')
      await startCommand(config, console, openLog())
    })
  addSettings(start, SETTINGS)

  const relay = program
    .command('relay')
    .description('run a circuit relay alone: no web app, no tokens; for anybody with small limits, or for listed peers')
    .action(async (_flags, command: Command) => {
      const flags = command.opts<FlagsOf<typeof RELAY_SETTINGS>>()
      const program = { table: RELAY_SETTINGS, flags, env: console.env, command: 'relay' }
      const config = readRelayConfig(flags, console.env, readSettingsFile(program))
      const { relayCommand } = await import('./role-command.ts')
      await relayCommand(config, console, openLog())
    })
  addSettings(relay, RELAY_SETTINGS)

  const rendezvous = program
    .command('rendezvous')
    .description('run a libp2p rendezvous point alone: peers register there and find each other')
    .action(async (_flags, command: Command) => {
      const flags = command.opts<FlagsOf<typeof RENDEZVOUS_SETTINGS>>()
      const program = { table: RENDEZVOUS_SETTINGS, flags, env: console.env, command: 'rendezvous' }
      const config = readRendezvousConfig(flags, console.env, readSettingsFile(program))
      const { rendezvousCommand } = await import('./role-command.ts')
      await rendezvousCommand(config, console, openLog())
    })
  addSettings(rendezvous, RENDEZVOUS_SETTINGS)

  const token = program.command('token').description('make, list, limit and revoke bridge tokens, while the bridge runs or not')
  const add = (parent: Command, usage: string, description: string, isDefault = false): Command => {
    const command = parent.command(usage, { isDefault }).description(description)
    for (const name of SHARED_SETTINGS) addSetting(command, name, SETTINGS[name])
    return command.option('--json', 'print JSON and nothing else')
  }
  const isJson = (command: Command): boolean => command.opts<{ json?: true }>().json === true

  add(token, 'create', 'make a token; its text and login link are shown once')
    .option('--label <text>', 'whose it is or what it is for', 'unnamed')
    .option('--expires <when>', '12h, 30d, 2w, 1y, 2026-12-31 (to the end of that day) or never', 'never')
    .option('--devices <number>', 'how many devices it may enrol, or none for no limit', '5')
    .option('--per-day <amount>', 'what it may relay a day (UTC), such as 500MB or 1GB, or none for no limit', 'none')
    .option('--rate <rate>', 'how fast it may relay, such as 2MB/s, or none for no limit', 'none')
    .option('--circuits <number>', 'circuits that its devices may be ends of at once, or none for no limit', 'none')
    .option('--circuit-rate <number>', 'new circuits a minute, or none for no limit', 'none')
    .option('--reservations <number>', 'virtual peers that its devices may be at once, or none for no limit', 'none')
    .action((_flags, command: Command) => createTokenCommand(configOf(command), console, command.opts<CreateFlags>(), isJson(command)))

  add(token, 'limit <id-or-label>', 'change what a token may use; in force at once, for running circuits too')
    .option('--devices <number>', 'how many devices it may enrol; those enrolled stay')
    .option('--per-day <amount>', 'what it may relay a day (UTC), such as 500MB, or none')
    .option('--rate <rate>', 'how fast it may relay, such as 2MB/s, or none')
    .option('--circuits <number>', 'circuits at once, or none')
    .option('--circuit-rate <number>', 'new circuits a minute, or none')
    .option('--reservations <number>', 'virtual peers at once, or none')
    .action((idOrLabel: string, _flags, command: Command) =>
      limitTokenCommand(configOf(command), console, idOrLabel, command.opts<LimitFlags>(), isJson(command)),
    )

  add(token, 'list', 'all tokens, with what they have used today').action((_flags, command: Command) =>
    listTokensCommand(configOf(command), console, isJson(command)),
  )

  add(token, 'show <id-or-label>', 'one token and its devices').action((idOrLabel: string, _flags, command: Command) =>
    showTokenCommand(configOf(command), console, idOrLabel, isJson(command)),
  )

  add(token, 'revoke <id-or-label>', 'end a token for good, with its sessions and circuits').action(
    (idOrLabel: string, _flags, command: Command) => revokeTokenCommand(configOf(command), console, idOrLabel, isJson(command)),
  )

  add(program, 'peers', 'the virtual peers of the running bridge')
    .option('--watch', 'stay and show every change')
    .option('--all', 'sessions that are not reachable at the moment too')
    .action((_flags, command: Command) => {
      const { json = false, watch = false, all = false } = command.opts<Partial<PeersFlags>>()
      return peersCommand(configOf(command), console, { json, watch, all })
    })

  add(program, 'status', 'the running bridge at a glance: who is here, and what the relay has done since the start').action(
    (_flags, command: Command) => statusCommand(configOf(command), console, isJson(command)),
  )

  add(program, 'network', 'how the bridge stands in the network: its addresses, relays, rendezvous points and who it knows').action(
    (_flags, command: Command) => networkCommand(configOf(command), console, isJson(command)),
  )

  const doctor = program
    .command('doctor')
    .description('check this bridge: ports, addresses, certificate, time, proxy, machine, each with what to do; exit code 1 on errors')
  addSettings(doctor, SETTINGS)
  doctor
    .option('--time-server <host>', 'compare the clock with this SNTP server; nobody is asked unless named')
    .option('--json', 'print JSON and nothing else')
    .action(async (_flags, command: Command) => {
      const config = configOf(command)
      // libp2p, as for start.
      const { doctorCommand } = await import('./doctor-command.ts')
      if (!(await doctorCommand(config, console, command.opts<DoctorFlags>(), isJson(command)))) fail()
    })

  const limits = program.command('limits').description('what one peer, one address and the whole bridge may use of the relay')
  add(limits, 'show', 'the limits in force (the default)', true).action((_flags, command: Command) =>
    limitsCommand(configOf(command), console, isJson(command)),
  )
  add(limits, 'set <peer|address|bridge>', 'change them, while the bridge runs or not; kept over restarts')
    .option('--reservations <number>', 'virtual peers at once (of an address or the bridge), or none')
    .option('--circuits <number>', 'circuits at once, or none')
    .option('--circuit-rate <number>', 'new circuits a minute, or none')
    .option('--rate <rate>', 'relayed bytes a second, such as 50MB/s, or none')
    .option('--per-day <amount>', 'relayed bytes a day (UTC), such as 500GB, or none')
    .action((scope: string, _flags, command: Command) =>
      setLimitsCommand(configOf(command), console, scope, command.opts<LimitsFlags>(), isJson(command)),
    )

  return program
}

function addSettings(command: Command, table: SettingTable): void {
  for (const [name, definition] of Object.entries(table)) addSetting(command, name, definition)
}

function addSetting(command: Command, name: string, definition: Setting<unknown>): void {
  const { flag, env, help, default: fallback, reason } = definition
  const option = new Option(flag, `${help} [${fallback ?? 'none'}] (${env})\n${reason}`)
  // Commander names options after their flags; the table names them after what they are.
  option.attributeName = () => name
  command.addOption(option)
}

function formatSettings(): string {
  return [
    '',
    'Examples:',
    '  footbridge                                          run the bridge at http://localhost:8080',
    '  footbridge --port 9000 --guests                     another port, visitors welcome',
    '  footbridge token create --label "Alice" --expires 30d --devices 2',
    '  footbridge token limit "Alice" --per-day 5GB --circuits 20',
    '  footbridge token revoke "Alice"',
    '  footbridge limits set bridge --rate 50MB/s',
    '  footbridge status',
    '  footbridge peers --watch',
    '  footbridge network',
    '  footbridge relay --host 0.0.0.0                     a circuit relay alone',
    '  footbridge rendezvous --host 0.0.0.0                a rendezvous point alone',
    '  footbridge doctor --time-server pool.ntp.org',
    '',
    'footbridge start --help lists every setting with its default and reason.',
  ].join('\n')
}
