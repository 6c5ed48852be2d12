/**
 * The secret that the bridge shares with the operator's TURN server: from its file or as it was given. Never logged, never in an error.
 */
import { readFile } from 'node:fs/promises'
import type { TurnSecret } from '../config/direct-paths.ts'
import { ConfigError } from '../config/settings.ts'

/** More is no secret but the wrong file. */
const MAX_SECRET_LENGTH = 1_024

/** @throws ConfigError with what to do when it cannot be read or is empty. */
export async function readSecret(source: TurnSecret): Promise<string> {
  if ('text' in source) return source.text
  let text: string
  try {
    text = (await readFile(source.file, 'utf8')).trim()
  } catch (error) {
    const isAbsent = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    throw new ConfigError(
      `--turn-secret-file ${source.file} cannot be read (${isAbsent ? 'there is no such file' : String(error)}): give the path of a file that this user may read`,
    )
  }
  if (text === '' || text.length > MAX_SECRET_LENGTH || text.includes('\n'))
    throw new ConfigError(`--turn-secret-file ${source.file} must hold the secret in one line, and nothing else`)
  return text
}
