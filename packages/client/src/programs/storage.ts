/**
 * What a program keeps between two runs, as a port: a private key and an enrolment, by name. The adapter here forgets; indexed-storage.ts is the one for
 * browsers, and a program may bring its own, such as files.
 */

export interface ProgramStorage {
  /** Undefined for a name that was never set. */
  get(name: string): Promise<Uint8Array | undefined>
  /** `name` is at most 300 characters, and may hold any. One of the values is a private key: whoever reads it is this peer. */
  set(name: string, value: Uint8Array): Promise<void>
  /** Called once, when the client closes. */
  close?(): Promise<void>
}

/** Forgets with the process. */
export function memoryStorage(): ProgramStorage {
  const kept = new Map<string, Uint8Array>()
  return {
    get: async (name) => kept.get(name)?.slice(),
    async set(name, value) {
      kept.set(name, value.slice())
    },
  }
}
