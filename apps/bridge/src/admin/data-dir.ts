/**
 * The bridge's folder: made for its owner alone, and held by one process at a time.
 * The lock is SQLite's own (a transaction kept open on an empty file), because the kernel lets go of it when the process dies, however it dies.
 * Not here: what is kept in the folder (packages/storage, node/identity.ts).
 */
import { accessSync, constants, existsSync, mkdirSync, realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ConfigError } from '../config/settings.ts'

export interface DataDirLock {
  /** Idempotent. */
  release(): void
}

export function storePath(dataDir: string): string {
  return join(dataDir, 'footbridge.db')
}

/** Makes the folder when there is none. @returns its real path. @throws ConfigError in one line for a person. */
export function prepareDataDir(dataDir: string): string {
  try {
    makeFolder(dataDir)
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK)
    return realpathSync(dataDir)
  } catch (error) {
    throw new ConfigError(
      `cannot write to the data folder ${dataDir} (${reasonOf(error)}): give a folder you may write to with --data-dir, or mend its permissions`,
    )
  }
}

/** Not `recursive: true`: Node 24 then tries for ever where the system answers ENOENT to everything, as under /proc. */
function makeFolder(path: string): void {
  if (existsSync(path)) {
    if (!statSync(path).isDirectory()) throw new Error('a file of that name is in the way')
    return
  }
  if (dirname(path) !== path) makeFolder(dirname(path))
  mkdirSync(path, { mode: 0o700 })
}

/**
 * @param waitMs how long to wait for another holder: a command line holds it for a moment, a bridge as long as it runs.
 * @returns undefined when another process holds it. @throws ConfigError when the lock file cannot be opened.
 */
export function lockDataDir(dataDir: string, waitMs: number): DataDirLock | undefined {
  const database = openLockFile(join(dataDir, 'bridge.lock'), waitMs)
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (isBusy(error)) return undefined
    throw new ConfigError(`cannot lock the data folder ${dataDir} (${reasonOf(error)}): it must be on a file system with locks`)
  }
  return {
    release() {
      if (database.isOpen) database.close()
    },
  }
}

function openLockFile(path: string, timeout: number): DatabaseSync {
  try {
    return new DatabaseSync(path, { timeout })
  } catch (error) {
    throw new ConfigError(
      `cannot open ${path} (${reasonOf(error)}): mend the permissions of the data folder, or give another with --data-dir`,
    )
  }
}

const SQLITE_BUSY = 5

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
}

/** Why the system refused, in few words. */
export function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return 'permission denied'
    case 'EROFS':
      return 'the file system is read-only'
    case 'ENOENT':
      return 'the system has no place for it'
    case 'ENOTDIR':
    case 'EEXIST':
      return 'a file of that name is in the way'
    case 'ENOSPC':
      return 'the disk is full'
    default:
      return error instanceof Error ? error.message : String(error)
  }
}
