/** What this browser gives beside the network: room that can be written to, and the features that the app builds on. */
import { deleteDB, openDB } from 'idb'
import type { BrowserFigures, Check, StorageFigures } from './facts.ts'

/** Less than a few pictures. */
const LITTLE_ROOM_BYTES = 20_000_000

export interface StorageProbeParts {
  readonly hasDatabase: boolean
  readonly storage: Partial<Pick<StorageManager, 'estimate' | 'persisted'>> | undefined
}

/** Writes a record into a database of its own, reads it, and removes both. */
export async function probeStorage({
  hasDatabase,
  storage,
}: StorageProbeParts): Promise<Check<StorageFigures, 'missing' | 'not_writable' | 'full'>> {
  if (!hasDatabase) return { state: 'broken', reason: 'missing' }
  const [estimate, persistent] = await Promise.all([
    storage?.estimate?.().catch(() => undefined),
    storage?.persisted?.().catch(() => false),
  ])
  const { usage: usedBytes, quota: quotaBytes } = estimate ?? {}
  const figures = { usedBytes, quotaBytes, persistent: persistent ?? false }
  try {
    await writeAndRead()
  } catch (error) {
    const isFull = error instanceof Error && error.name === 'QuotaExceededError'
    const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return { state: 'broken', reason: isFull ? 'full' : 'not_writable', detail, figures }
  }
  const isFull = quotaBytes !== undefined && quotaBytes - (usedBytes ?? 0) < LITTLE_ROOM_BYTES
  return isFull ? { state: 'broken', reason: 'full', figures } : { state: 'works', figures }
}

async function writeAndRead(): Promise<void> {
  // Two tabs may look at the same time.
  const name = `footbridge check-up ${crypto.randomUUID()}`
  const database = await openDB(name, 1, { upgrade: (fresh) => void fresh.createObjectStore('records') })
  try {
    await database.put('records', new Uint8Array(64), 'record')
    const read: unknown = await database.get('records', 'record')
    if (!(read instanceof Uint8Array) || read.length !== 64) throw new Error('what was written is not what is read')
  } finally {
    database.close()
    await deleteDB(name).catch(() => undefined)
  }
}

export interface BrowserProbeParts extends BrowserFigures {
  readonly isSecureContext: boolean
}

export function probeBrowser({ isSecureContext, ...figures }: BrowserProbeParts): Check<BrowserFigures, 'insecure'> {
  return isSecureContext ? { state: 'works', figures } : { state: 'broken', reason: 'insecure', figures }
}
