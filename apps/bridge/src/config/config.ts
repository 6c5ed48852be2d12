/**
 * Every setting of the bridge: the groups put together. Command line, environment, config file and --help are made from this one table.
 * Nothing here touches process: main.ts hands flags and environment in.
 * Not here: a group's settings (listening.ts, surroundings.ts, direct-paths.ts, operation.ts), what wins over what (settings.ts), the config file (settings-file.ts), caps and rates
 * (../limits.ts), and what a token may do (`footbridge token create --help`).
 */
import { DIRECT_PATHS, readDirectPaths, TURN_SECRET_VARIABLE, type DirectPaths } from './direct-paths.ts'
import { LISTENING, readListening, type Listening } from './listening.ts'
import { readSurroundings, SURROUNDINGS, type Surroundings } from './surroundings.ts'
import { OPERATION, readOperation, type Operation } from './operation.ts'
import { refuseUnknownVariables, type Environment, type FlagsOf, type SettingsFile } from './settings.ts'

export interface Config extends Listening, Surroundings, DirectPaths, Operation {}

export const SETTINGS = { ...LISTENING, ...SURROUNDINGS, ...DIRECT_PATHS, ...OPERATION } as const

const VARIABLES: ReadonlySet<string> = new Set([...Object.values(SETTINGS).map(({ env }) => env), TURN_SECRET_VARIABLE])

export type SettingName = keyof typeof SETTINGS
export type Flags = FlagsOf<typeof SETTINGS>

/** @throws ConfigError naming the flag, the variable or the file and its key, the value and the reason. */
export function readConfig(flags: Flags, env: Environment, file?: SettingsFile<SettingName>): Config {
  refuseUnknownVariables(env, VARIABLES, 'start')
  const given = { flags, env, file }
  return { ...readListening(given), ...readSurroundings(given), ...readDirectPaths(given), ...readOperation(given) }
}
