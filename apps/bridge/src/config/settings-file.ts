/**
 * The config file: TOML with the settings by their names, `data-dir = "/var/lib/footbridge"`, numbers, switches and lists as TOML has them.
 * TOML because it has comments, because a mistake in it has a line and a column, and because it looks like the flags that it stands for.
 *
 * A key that is no setting is refused, as an unknown flag is. Not here: what a value must be (config.ts and the groups beside it), and what wins over the file (settings.ts).
 */
import { readFileSync, statSync } from 'node:fs'
import { parse, TomlError } from 'smol-toml'
import { reasonOf } from '../admin/data-dir.ts'
import { MAX_CONFIG_FILE_BYTES } from '../limits.ts'
import { nearest } from '../nearest.ts'
import {
  ConfigError,
  createSettingReader,
  fileName,
  type Environment,
  type FlagsOf,
  type Setting,
  type SettingsFile,
  type SettingTable,
} from './settings.ts'

export interface ProgramSettings<Table extends SettingTable> {
  readonly table: Table
  readonly flags: FlagsOf<Table>
  readonly env: Environment
  /** Whose help lists the settings: `start`. */
  readonly command: string
}

/** The file that the setting `config` names; undefined when it names none. @throws ConfigError naming file, key and reason. */
export function readSettingsFile<Table extends SettingTable & { readonly config: Setting<string> }>(
  program: ProgramSettings<Table>,
): SettingsFile<keyof Table> | undefined {
  const { table, flags, env, command } = program
  const file = createSettingReader<Table>(table, { flags, env }).read('config')
  if (file === undefined) return undefined
  const names = new Map(Object.entries(table).map(([name, definition]) => [fileName(definition), { name, definition }]))
  names.delete('config')
  const texts = new Map<keyof Table, string>()
  for (const [key, value] of Object.entries(parseFile(file))) {
    const known = names.get(key)
    if (known === undefined) throw unknownKey(file, key, names.keys(), command)
    texts.set(known.name, textOf(value, known.definition, `${file}: ${key}`))
  }
  return { path: file, texts }
}

function parseFile(file: string): Record<string, unknown> {
  let text: string
  try {
    const { size } = statSync(file)
    if (size > MAX_CONFIG_FILE_BYTES) throw new Error(`has ${size} bytes; ${MAX_CONFIG_FILE_BYTES} are the most that settings need`)
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    const reason = isMissing ? 'there is no such file' : reasonOf(error)
    throw new ConfigError(`--config ${file} cannot be read (${reason}): give the path of a TOML file that this user may read`)
  }
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    // Its first line alone: what follows shows the place, which may hold a password.
    const reason = (error.message.split('\n')[0] ?? '').replace(/^Invalid TOML document: /, '')
    throw new ConfigError(`${file}, line ${error.line}, column ${error.column}: ${reason}`)
  }
}

/** As the flag would have it. */
function textOf(value: unknown, { flag }: Setting<unknown>, place: string): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  const takesList = flag.includes('<list>')
  if (takesList && Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(',')
  throw new ConfigError(`${place} must be ${takesList ? 'a text or a list of texts' : 'a text, a number, or true or false'}`)
}

function unknownKey(file: string, key: string, names: Iterable<string>, command: string): ConfigError {
  if (key === 'config') return new ConfigError(`${file}: config cannot stand in a config file: one file holds all`)
  const near = nearest(key, names)
  const hint = near === undefined ? `footbridge ${command} --help lists all of them, with dashes before them` : `did you mean ${near}?`
  return new ConfigError(`${file}: ${key} is not a setting: remove or correct it; ${hint}`)
}
