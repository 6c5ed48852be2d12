/**
 * Who is registered where and until when: the memory of a rendezvous point. Pure: time comes in as a number, nothing is awaited and nothing started, so that a model
 * test can walk every way through it. Rules B1 to B9 of SPEC.md.
 *
 * Invariants: one registration for each peer and namespace; a peer, a namespace, a scope and the whole hold at most what they may, where a renewal is never refused;
 * numbers only grow, and every change of a registration gives it a new one; what has ended is returned to nobody.
 * Not here: who may register (the server's policy), signatures and streams (rendezvous-server.ts), cookies.
 */
import { createExpiryHeap } from './expiry-heap.ts'
import type { RecordForm } from './records.ts'
import { registrationBytes } from './wire.ts'

/** A set of peers that share a number of registrations: those of one token, or all strangers. */
export interface Scope {
  readonly name: string
  readonly maxRegistrations: number
}

export interface BookLimits {
  readonly perPeer: number
  readonly perNamespace: number
  readonly total: number
}

/** A registration that is made or renewed; at least one record. */
export interface Entry {
  readonly peer: string
  readonly namespace: string
  /** Of the record. */
  readonly seq: bigint
  readonly records: Readonly<Partial<Record<RecordForm, Uint8Array>>>
  readonly expiresAt: number
  readonly scopes: readonly Scope[]
}

export type Registered =
  | { readonly kind: 'registered' }
  /** `scope`: `peer`, `namespace`, `total`, or the name of a scope. */
  | { readonly kind: 'full'; readonly scope: string }

export interface DiscoverQuery {
  /** Empty: all. */
  readonly namespace: string
  /** The position that a cookie holds; 0 for none. */
  readonly after: number
  readonly limit: number
  readonly maxBytes: number
  /** What the asker can read; undefined: either, the standard one where there are both. */
  readonly form: RecordForm | undefined
}

export interface DiscoverResult {
  readonly registrations: readonly {
    readonly peer: string
    readonly namespace: string
    readonly record: Uint8Array
    readonly ttlSeconds: number
  }[]
  /** For the next cookie. */
  readonly position: number
}

export interface RegistrationBook {
  register(entry: Entry, now: number): Registered
  /** @returns whether there was one. */
  unregister(peer: string, namespace: string): boolean
  /** All registrations of the peer. @returns how many there were. */
  drop(peer: string): number
  /** Takes out what has ended. @returns how many. */
  expire(now: number): number
  /** When the next one may end. */
  nextExpiry(): number | undefined
  discover(query: DiscoverQuery, now: number): DiscoverResult
  /** The only form that this peer has registered in; undefined when it is not here or has both. */
  formOf(peer: string): RecordForm | undefined
  has(peer: string, namespace: string): boolean
  size(): number
}

interface Kept extends Entry {
  readonly number: number
}

/** Left-overs of renewals in the heap that are not worth a clean-up. */
const MAX_SPARE = 1_024

export function createRegistrationBook(limits: BookLimits): RegistrationBook {
  /** In the order of their numbers, as are those of a namespace. */
  const all = new Map<number, Kept>()
  const byNamespace = new Map<string, Map<string, Kept>>()
  const byPeer = new Map<string, Map<string, Kept>>()
  const counts = new Map<string, number>()
  let heap = createExpiryHeap<Kept>()
  let lastNumber = 0

  const find = (peer: string, namespace: string): Kept | undefined => byPeer.get(peer)?.get(namespace)

  const add = (entry: Kept): void => {
    all.set(entry.number, entry)
    inner(byNamespace, entry.namespace).set(entry.peer, entry)
    inner(byPeer, entry.peer).set(entry.namespace, entry)
    for (const { name } of entry.scopes) counts.set(name, (counts.get(name) ?? 0) + 1)
    heap.push(entry.expiresAt, entry)
  }

  const remove = (entry: Kept): void => {
    all.delete(entry.number)
    removeInner(byNamespace, entry.namespace, entry.peer)
    removeInner(byPeer, entry.peer, entry.namespace)
    for (const { name } of entry.scopes) {
      const left = (counts.get(name) ?? 0) - 1
      if (left > 0) counts.set(name, left)
      else counts.delete(name)
    }
    if (heap.size > 2 * all.size + MAX_SPARE) {
      heap = createExpiryHeap()
      for (const kept of all.values()) heap.push(kept.expiresAt, kept)
    }
  }

  const fullScope = ({ peer, namespace, scopes }: Entry): string | undefined => {
    if ((byPeer.get(peer)?.size ?? 0) >= limits.perPeer) return 'peer'
    if ((byNamespace.get(namespace)?.size ?? 0) >= limits.perNamespace) return 'namespace'
    if (all.size >= limits.total) return 'total'
    return scopes.find(({ name, maxRegistrations }) => (counts.get(name) ?? 0) >= maxRegistrations)?.name
  }

  const expire = (now: number): number => {
    const before = all.size
    // Empty, it has no first: not to be compared, since everything ends by Infinity.
    for (let at = heap.firstAt(); at !== undefined && at <= now; at = heap.firstAt()) {
      const entry = heap.pop()
      if (entry !== undefined && all.get(entry.number) === entry) remove(entry)
    }
    return before - all.size
  }

  return {
    register(entry, now) {
      expire(now)
      const held = find(entry.peer, entry.namespace)
      const full = held === undefined ? fullScope(entry) : undefined
      if (full !== undefined) return { kind: 'full', scope: full }
      if (held !== undefined) remove(held)
      add({ ...entry, ...newer(held, entry), number: ++lastNumber })
      return { kind: 'registered' }
    },
    unregister(peer, namespace) {
      const entry = find(peer, namespace)
      if (entry !== undefined) remove(entry)
      return entry !== undefined
    },
    drop(peer) {
      const entries = [...(byPeer.get(peer)?.values() ?? [])]
      for (const entry of entries) remove(entry)
      return entries.length
    },
    expire,
    nextExpiry() {
      for (;;) {
        const at = heap.firstAt()
        if (at === undefined) return undefined
        // One that was replaced or taken out wakes nobody.
        const entry = heap.pop()
        if (entry !== undefined && all.get(entry.number) === entry) {
          heap.push(at, entry)
          return at
        }
      }
    },
    discover({ namespace, after, limit, maxBytes, form }, now) {
      const registrations: DiscoverResult['registrations'][number][] = []
      let bytes = 0
      let position = after
      for (const entry of (namespace === '' ? all : byNamespace.get(namespace))?.values() ?? []) {
        if (entry.number <= after) continue
        const record = form === undefined ? (entry.records.standard ?? entry.records.legacy) : entry.records[form]
        if (record !== undefined && entry.expiresAt > now) {
          bytes += registrationBytes(entry.namespace, record)
          if (registrations.length >= limit || (bytes > maxBytes && registrations.length > 0)) return { registrations, position }
          const ttlSeconds = Math.ceil((entry.expiresAt - now) / 1000)
          registrations.push({ peer: entry.peer, namespace: entry.namespace, record, ttlSeconds })
        }
        position = entry.number
      }
      // Whatever comes next has a higher number.
      return { registrations, position: Math.max(position, lastNumber) }
    },
    formOf(peer) {
      const entries = [...(byPeer.get(peer)?.values() ?? [])]
      const has = (form: RecordForm): boolean => entries.some(({ records }) => records[form] !== undefined)
      if (has('standard') === has('legacy')) return undefined
      return has('legacy') ? 'legacy' : 'standard'
    },
    has: (peer, namespace) => find(peer, namespace) !== undefined,
    size: () => all.size,
  }
}

/** Of two records of a peer the later counts; two with one number are the same record in two forms. */
function newer(held: Kept | undefined, entry: Entry): Pick<Entry, 'seq' | 'records'> {
  if (held === undefined || entry.seq > held.seq) return { seq: entry.seq, records: entry.records }
  if (entry.seq < held.seq) return { seq: held.seq, records: held.records }
  return { seq: held.seq, records: { ...held.records, ...entry.records } }
}

function inner(outer: Map<string, Map<string, Kept>>, key: string): Map<string, Kept> {
  const found = outer.get(key) ?? new Map<string, Kept>()
  outer.set(key, found)
  return found
}

function removeInner(outer: Map<string, Map<string, Kept>>, key: string, innerKey: string): void {
  const found = outer.get(key)
  found?.delete(innerKey)
  if (found?.size === 0) outer.delete(key)
}
