/**
 * Storage of a program in a browser: an IndexedDB database of its own. One page at a time holds it, by a Web Lock: two with one key would push each other
 * off the bridge. Without locks (plain HTTP) nobody stands guard.
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import { openDB } from 'idb'
import type { ProgramStorage } from './storage.ts'

const STORE = 'kept'

export interface IndexedStorageParts {
  /** The page's, by default. */
  readonly locks?: Pick<LockManager, 'request'> | undefined
}

/** @throws FootbridgeError `other_tab` while another page of this origin has it open; `storage_full` when the browser gives no database */
export async function indexedStorage(name = 'footbridge-program', parts: IndexedStorageParts = {}): Promise<ProgramStorage> {
  const { locks = (globalThis.navigator as Partial<Navigator> | undefined)?.locks } = parts
  const release = await hold(`footbridge program ${name}`, locks)
  try {
    const database = await openDB(name, 1, { upgrade: (fresh) => void fresh.createObjectStore(STORE) })
    return {
      get: async (key) => (await database.get(STORE, key)) as Uint8Array | undefined,
      async set(key, value) {
        await database.put(STORE, value, key)
      },
      async close() {
        database.close()
        release()
      },
    }
  } catch (cause) {
    release()
    throw new FootbridgeError('storage_full', 'the browser gives no database', { cause })
  }
}

async function hold(name: string, locks: Pick<LockManager, 'request'> | undefined): Promise<() => void> {
  if (locks === undefined) return () => undefined
  const held = Promise.withResolvers<boolean>()
  const end = Promise.withResolvers<void>()
  locks
    .request(name, { ifAvailable: true }, (lock) => {
      held.resolve(lock !== null)
      return lock === null ? undefined : end.promise
    })
    .catch(held.reject)
  if (!(await held.promise)) throw new FootbridgeError('other_tab', 'another page holds this identity')
  return end.resolve
}
