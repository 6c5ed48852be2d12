/**
 * What Kademlia keeps for others, records and who provides what: in memory, and no more than so many. Anybody may put there, one entry for each key that they think of,
 * and the store that libp2p brings grows with it. The oldest goes first; whoever cares puts again, as the protocol has it.
 */
import { MemoryDatastore } from 'datastore-core'
import type { Key } from 'interface-datastore'

export interface KadStoreLimits {
  readonly maxEntries: number
  readonly maxValueBytes: number
}

export class KadStore extends MemoryDatastore {
  readonly #limits: KadStoreLimits
  /** By name, in the order in which they were put last. */
  readonly #keys = new Map<string, Key>()

  constructor(limits: KadStoreLimits) {
    super()
    this.#limits = limits
  }

  get size(): number {
    return this.#keys.size
  }

  override put(key: Key, value: Uint8Array): Promise<Key> | Key {
    if (value.length > this.#limits.maxValueBytes) throw new Error(`a value of ${value.length} bytes is too long to be kept for others`)
    const name = key.toString()
    this.#keys.delete(name)
    this.#keys.set(name, key)
    const [oldest] = this.#keys.values()
    if (this.#keys.size > this.#limits.maxEntries && oldest !== undefined) void this.delete(oldest)
    return super.put(key, value)
  }

  override delete(key: Key): Promise<void> | void {
    this.#keys.delete(key.toString())
    return super.delete(key)
  }
}
