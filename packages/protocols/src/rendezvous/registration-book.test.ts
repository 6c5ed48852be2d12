/** The book against a model of it that is too simple to be wrong. Rules B1 to B9 of SPEC.md. */
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { createExpiryHeap } from './expiry-heap.ts'
import type { RecordForm } from './records.ts'
import { createRegistrationBook, type Entry } from './registration-book.ts'

// With FUZZ_INPUTS it takes minutes, on a machine that may be busy.
vi.setConfig({ testTimeout: 900_000 })

const RUNS = Math.min(5_000, Math.ceil(Number(process.env['FUZZ_INPUTS'] ?? 2_000) / 10))
const LIMITS = { perPeer: 3, perNamespace: 4, total: 8 }
const PEERS = ['alice', 'bob', 'charlie', 'dave', 'erin']
const NAMESPACES = ['meadow', 'forest', 'lake', 'hill']
const TOKENS: Readonly<Record<string, readonly { readonly name: string; readonly maxRegistrations: number }[]>> = {
  alice: [{ name: 'token', maxRegistrations: 3 }],
  bob: [{ name: 'token', maxRegistrations: 3 }],
}

const peer = fc.constantFrom(...PEERS)
const namespace = fc.constantFrom(...NAMESPACES)
const form = fc.constantFrom<RecordForm>('standard', 'legacy')
const command = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('register' as const),
      peer,
      namespace,
      form,
      seq: fc.bigInt(1n, 4n),
      ttl: fc.integer({ min: 1, max: 20 }),
    }),
  },
  fc.record({ type: fc.constant('unregister' as const), peer, namespace }),
  fc.record({ type: fc.constant('drop' as const), peer }),
  fc.record({ type: fc.constant('time' as const), seconds: fc.integer({ min: 1, max: 10 }) }),
  fc.record({
    type: fc.constant('page' as const),
    limit: fc.integer({ min: 1, max: 3 }),
    form: fc.option(form, { nil: undefined }),
    namespace: fc.option(namespace, { nil: '' }),
  }),
)

interface Row extends Pick<Entry, 'peer' | 'namespace' | 'seq' | 'records' | 'expiresAt'> {}

const entry = (peer: string, namespace: string, changes: Partial<Entry> = {}): Entry => ({
  peer,
  namespace,
  seq: 1n,
  records: { standard: Uint8Array.of(1) },
  expiresAt: 1_000_000,
  scopes: TOKENS[peer] ?? [],
  ...changes,
})

describe('the registration book', () => {
  test('B1-B6: does what a list of rows would do, whatever is asked of it', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
        const book = createRegistrationBook(LIMITS)
        /** The newest last. */
        let rows: Row[] = []
        let now = 0
        for (const [index, step] of commands.entries()) {
          rows = rows.filter(({ expiresAt }) => expiresAt > now)
          if (step.type === 'time') now += step.seconds * 1000
          else if (step.type === 'unregister') {
            expect(book.unregister(step.peer, step.namespace) || !rows.some((row) => isOf(row, step))).toBe(true)
            rows = rows.filter((row) => !isOf(row, step))
          } else if (step.type === 'drop') {
            book.drop(step.peer)
            rows = rows.filter((row) => row.peer !== step.peer)
          } else if (step.type === 'register') {
            const record = Uint8Array.of(index)
            const made = book.register(
              entry(step.peer, step.namespace, { seq: step.seq, records: { [step.form]: record }, expiresAt: now + step.ttl * 1000 }),
              now,
            )
            const held = rows.find((row) => isOf(row, step))
            const isFull = held === undefined && !hasRoom(rows, step)
            expect(made.kind).toBe(isFull ? 'full' : 'registered')
            if (!isFull) {
              const [seq, records] =
                held === undefined || step.seq > held.seq
                  ? [step.seq, { [step.form]: record }]
                  : step.seq === held.seq
                    ? [held.seq, { ...held.records, [step.form]: record }]
                    : [held.seq, held.records]
              rows = [
                ...rows.filter((row) => row !== held),
                { peer: step.peer, namespace: step.namespace, seq, records, expiresAt: now + step.ttl * 1000 },
              ]
            }
          } else {
            const pages: string[] = []
            for (let after = 0, isLast = false; !isLast;) {
              const { registrations, position } = book.discover(
                { namespace: step.namespace, after, limit: step.limit, maxBytes: 10_000, form: step.form },
                now,
              )
              for (const found of registrations) pages.push(`${found.peer} ${found.namespace} ${found.record.join()} ${found.ttlSeconds}`)
              isLast = registrations.length < step.limit
              after = position
            }
            const expected = rows
              .filter((row) => row.expiresAt > now && (step.namespace === '' || row.namespace === step.namespace))
              .flatMap((row) => {
                const record = step.form === undefined ? (row.records.standard ?? row.records.legacy) : row.records[step.form]
                return record === undefined
                  ? []
                  : [`${row.peer} ${row.namespace} ${record.join()} ${Math.ceil((row.expiresAt - now) / 1000)}`]
              })
            expect(pages).toEqual(expected)
          }
        }
        book.expire(now)
        const living = rows.filter(({ expiresAt }) => expiresAt > now)
        expect(book.size()).toBe(living.length)
        expect(book.nextExpiry()).toBe(living.length === 0 ? undefined : Math.min(...living.map(({ expiresAt }) => expiresAt)))
        expect(book.expire(Infinity)).toBe(living.length)
        expect(book.nextExpiry()).toBeUndefined()
      }),
      { numRuns: RUNS },
    )
  })

  test('B7: a renewal is never refused, however full everything is', () => {
    const book = createRegistrationBook({ perPeer: 1, perNamespace: 1, total: 1 })
    expect(book.register(entry('alice', 'meadow'), 0).kind).toBe('registered')
    expect(book.register(entry('alice', 'meadow'), 0).kind).toBe('registered')
    expect(book.register(entry('alice', 'forest'), 0)).toEqual({ kind: 'full', scope: 'peer' })
    expect(book.register(entry('bob', 'meadow'), 0)).toEqual({ kind: 'full', scope: 'namespace' })
    expect(book.register(entry('bob', 'forest'), 0)).toEqual({ kind: 'full', scope: 'total' })
  })

  test('B8: a page holds at most its bytes, and always one registration', () => {
    const book = createRegistrationBook({ perPeer: 9, perNamespace: 9, total: 9 })
    for (const name of PEERS) book.register(entry(name, 'meadow', { records: { standard: new Uint8Array(100) } }), 0)
    const page = (maxBytes: number): number =>
      book.discover({ namespace: 'meadow', after: 0, limit: 9, maxBytes, form: undefined }, 0).registrations.length
    expect([page(1), page(300), page(10_000)]).toEqual([1, 2, 5])
  })

  test('B9: renewals leave no trace in the heap', () => {
    const book = createRegistrationBook(LIMITS)
    for (let index = 0; index < 10_000; index++) book.register(entry('alice', 'meadow', { expiresAt: 1_000_000 + index }), 0)
    expect([book.size(), book.nextExpiry()]).toEqual([1, 1_009_999])
  })
})

test('B9: the heap gives everything back in the order of its end', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 50 })), (ends) => {
      const heap = createExpiryHeap<number>()
      for (const at of ends) heap.push(at, at)
      const popped = ends.map(() => heap.pop())
      expect(popped).toEqual(ends.toSorted((a, b) => a - b))
      expect([heap.size, heap.pop()]).toEqual([0, undefined])
    }),
    { numRuns: RUNS },
  )
})

function isOf(row: Row, { peer, namespace }: Pick<Row, 'peer' | 'namespace'>): boolean {
  return row.peer === peer && row.namespace === namespace
}

function hasRoom(rows: readonly Row[], { peer, namespace }: Pick<Row, 'peer' | 'namespace'>): boolean {
  const count = (holds: (row: Row) => boolean): number => rows.filter(holds).length
  return (
    count((row) => row.peer === peer) < LIMITS.perPeer &&
    count((row) => row.namespace === namespace) < LIMITS.perNamespace &&
    rows.length < LIMITS.total &&
    (TOKENS[peer] === undefined || count((row) => TOKENS[row.peer] !== undefined) < 3)
  )
}
