/**
 * What Kademlia keeps for others, records and who provides what: in memory, and no more than so many. Anybody may put there, one entry for each key that they think of,
 * and the store that libp2p brings grows with it. The oldest goes first; whoever cares puts again, as the protocol has it.
 *
 * Every question for providers is a query by prefix, for which the stock store goes through all that it has. Here the entries below one key are found at once.
 */
import { MemoryDatastore } from 'datastore-core'
import type { Key, Pair, Query } from 'interface-datastore'

export interface KadStoreLimits {
  readonly maxEntries: number
  readonly maxValueBytes: number
}

/** From here on a prefix names one key, `/<network>/provider/<cid>`, and not a kind of keys. */
const KEY_DEPTH = 3

export class KadStore extends MemoryDatastore {
  readonly #limits: KadStoreLimits
  /** By name, in the order in which they were put last. */
  readonly #entries = new Map<string, Pair>()
  /** Names by the name above them. */
  readonly #below = new Map<string, Set<string>>()

  constructor(limits: KadStoreLimits) {
    super()
    this.#limits = limits
  }

  get size(): number {
    return this.#entries.size
  }

  override put(key: Key, value: Uint8Array): Promise<Key> | Key {
    if (value.length > this.#limits.maxValueBytes) throw new Error(`a value of ${value.length} bytes is too long to be kept for others`)
    const name = key.toString()
    this.#entries.delete(name)
    this.#entries.set(name, { key, value })
    const below = this.#below.get(parentOf(name))
    if (below === undefined) this.#below.set(parentOf(name), new Set([name]))
    else below.add(name)
    const [oldest] = this.#entries.values()
    if (this.#entries.size > this.#limits.maxEntries && oldest !== undefined) void this.delete(oldest.key)
    return super.put(key, value)
  }

  override delete(key: Key): Promise<void> | void {
    const name = key.toString()
    this.#entries.delete(name)
    const below = this.#below.get(parentOf(name))
    below?.delete(name)
    if (below?.size === 0) this.#below.delete(parentOf(name))
    return super.delete(key)
  }

  override *_all(query: Query): Generator<Pair> {
    const { prefix } = query
    const isOfOneKey = prefix !== undefined && prefix.split('/').length > KEY_DEPTH
    for (const name of isOfOneKey ? (this.#below.get(prefix) ?? []) : this.#entries.keys()) {
      const pair = this.#entries.get(name)
      if (pair !== undefined) yield pair
    }
  }
}

function parentOf(name: string): string {
  return name.slice(0, name.lastIndexOf('/'))
}
