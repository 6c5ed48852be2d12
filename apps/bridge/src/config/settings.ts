/**
 * How a setting is described and read, whatever it is: a flag wins over its variable, a variable over the config file, the file over the default.
 * Not here: which settings there are (config.ts, ../roles/role-config.ts), and how the file is read (settings-file.ts).
 */
import { nearest } from '../nearest.ts'

/** A setting that cannot be used: `message` is one whole line for a person, naming the setting and the reason. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

export interface Setting<Value> {
  /** As commander reads it. Switches have no `<value>`; what takes several says `<list>`. */
  readonly flag: string
  readonly env: string
  /** What it is and in what unit, for --help. */
  readonly help: string
  /** In words when it depends on other settings; undefined for "none". */
  readonly default: string | undefined
  /** Why there is such a setting, or why the default is what it is. */
  readonly reason: string
  /** @throws Error with the reason alone: "must be …". */
  readonly parse: (text: string) => Value
}

export const setting = <Value>(definition: Setting<Value>): Setting<Value> => definition

export type SettingTable = Readonly<Record<string, Setting<unknown>>>
export type ValueOf<Table extends SettingTable, Name extends keyof Table> = ReturnType<Table[Name]['parse']>
/** What the command line gave, as text; a switch is `true`. */
export type FlagsOf<Table extends SettingTable> = { readonly [Name in keyof Table]?: string | boolean | undefined }
export type Environment = Readonly<Record<string, string | undefined>>

/** What a config file says: text by setting. */
export interface SettingsFile<Name extends PropertyKey = string> {
  readonly path: string
  readonly texts: Pick<ReadonlyMap<Name, string>, 'get'>
}

/** The name of a setting as the config file has it, which is its flag without the dashes: `data-dir`. */
export function fileName({ flag }: Pick<Setting<unknown>, 'flag'>): string {
  return (flag.split(' ')[0] ?? flag).slice(2)
}

export interface SettingReader<Table extends SettingTable> {
  /** Undefined when nothing was given and there is no default. @throws ConfigError naming flag, variable or file and key, the value and the reason. */
  readonly read: <Name extends keyof Table>(name: Name) => ValueOf<Table, Name> | undefined
  /** @throws ConfigError when there is no value. */
  readonly required: <Name extends keyof Table>(name: Name) => ValueOf<Table, Name>
}

export interface Given<Table extends SettingTable> {
  readonly flags: FlagsOf<Table>
  readonly env: Environment
  readonly file?: SettingsFile<keyof Table> | undefined
}

export interface ReaderOptions<Table extends SettingTable> extends Given<Table> {
  /** Whose default is in words, because it follows from others: not given, they are undefined. */
  readonly defaultsInWords?: ReadonlySet<keyof Table>
  /** Whose values may hold a password: they are not repeated in an error. */
  readonly confidential?: ReadonlySet<keyof Table>
}

export function createSettingReader<Table extends SettingTable>(table: Table, options: ReaderOptions<Table>): SettingReader<Table> {
  const { flags, env, file, defaultsInWords, confidential } = options

  /** The first source that says something, by the name that it has there. */
  const find = (name: keyof Table): { readonly source: string; readonly text: string } | undefined => {
    const { flag, env: variable } = definitionOf(table, name)
    const fromFlag = flags[name]
    if (fromFlag !== undefined) return { source: flag.split(' ')[0] ?? flag, text: String(fromFlag) }
    const fromEnv = env[variable]
    // An empty variable is what `docker run -e` and unit files leave of one that is not set.
    if (fromEnv !== undefined && fromEnv !== '') return { source: variable, text: fromEnv }
    const fromFile = file?.texts.get(name)
    return fromFile === undefined ? undefined : { source: `${file?.path}: ${fileName({ flag })}`, text: fromFile }
  }

  const read = <Name extends keyof Table>(name: Name): ValueOf<Table, Name> | undefined => {
    const { parse, default: fallback } = definitionOf(table, name)
    const found = find(name)
    const text = found?.text ?? (defaultsInWords?.has(name) === true ? undefined : fallback)
    if (text === undefined) return undefined
    try {
      return parse(text) as ValueOf<Table, Name>
    } catch (error) {
      const shown = confidential?.has(name) === true ? '' : ` ${JSON.stringify(text)}`
      throw new ConfigError(`${found?.source}${shown} ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  return {
    read,
    required(name) {
      const value = read(name)
      if (value === undefined) throw new ConfigError(`${definitionOf(table, name).flag} is missing`)
      return value
    },
  }
}

function definitionOf<Table extends SettingTable>(table: Table, name: keyof Table): Setting<unknown> {
  return table[name] as Setting<unknown>
}

/**
 * A mistyped variable would otherwise be ignored in silence, and a bridge run with a limit that is not there.
 * @param known all variables of this program. @throws ConfigError with what was probably meant.
 */
export function refuseUnknownVariables(env: Environment, known: ReadonlySet<string>, command: string): void {
  for (const variable of Object.keys(env)) {
    if (!variable.startsWith('FOOTBRIDGE_') || known.has(variable)) continue
    const near = nearest(variable, known)
    const hint = near === undefined ? `footbridge ${command} --help lists all of them` : `did you mean ${near}?`
    throw new ConfigError(`${variable} is not a setting: unset or correct it; ${hint}`)
  }
}
