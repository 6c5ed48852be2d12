/**
 * Where the running bridge's control socket is: `<data-dir>/control.sock`, or, when that path is too long for a Unix socket, a name made from it in a
 * folder of this user's under the temporary directory. Whoever can open the socket can make tokens, so every folder on the way is the owner's alone.
 * Not here: what is said over it (routes.ts, control-client.ts).
 */
import { createHash } from 'node:crypto'
import { lstatSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../config/settings.ts'
import { MAX_SOCKET_PATH_BYTES } from '../limits.ts'

export interface ControlPathContext {
  readonly tempDir: string
  /** Undefined where the system has no user numbers. */
  readonly userId: number | undefined
}

/** @param dataDir its real path, so that every way of writing it leads to one socket. @throws ConfigError when somebody else owns the folder. */
export function controlPath(dataDir: string, { tempDir, userId }: ControlPathContext): string {
  const inDataDir = join(dataDir, 'control.sock')
  if (Buffer.byteLength(inDataDir) <= MAX_SOCKET_PATH_BYTES) return inDataDir

  const folder = join(tempDir, `footbridge-${userId ?? 'user'}`)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  // Anybody may have made this name in a shared temporary directory before us.
  const stat = lstatSync(folder)
  const isOurs = stat.isDirectory() && (userId === undefined || stat.uid === userId) && (stat.mode & 0o077) === 0
  if (!isOurs)
    throw new ConfigError(
      `${folder} is not a folder of yours alone, so the control socket cannot be there: use a --data-dir with a shorter path`,
    )
  return join(folder, `${createHash('sha256').update(dataDir).digest('hex').slice(0, 24)}.sock`)
}
