/**
 * Drives one race of first hops: begins each when the plan says, takes the first that ends its handshake, calls the others off and cuts those that come in
 * late. When all fail, the error says of each what broke.
 * Not here: when each begins (plan.ts), what a dial is (it comes in as a function), which hops there are (first-hop.ts).
 */
import { nextStart, type Runner } from './plan.ts'
import { HopError } from './hop-error.ts'
import type { HopKind } from './hop-kind.ts'

export interface RaceParts<Link> {
  /** In the order in which they begin. */
  readonly kinds: readonly HopKind[]
  /** @param onThrough called when packets were seen to go there and back. Must end soon after `signal` fires. */
  readonly dial: (kind: HopKind, signal: AbortSignal, onThrough: () => void) => Promise<Link>
  /** Ends a link that nobody waits for any more. */
  readonly discard: (link: Link) => void
  /** Milliseconds that never go back. */
  readonly now: () => number
}

export interface Win<Link> {
  readonly kind: HopKind
  readonly link: Link
  /** From the beginning of the race. */
  readonly ms: number
  /** Why each of those that began before was not quicker. */
  readonly missed: readonly HopError[]
}

export interface Race<Link> {
  /** @throws AggregateError of HopErrors, one for each that began */
  readonly won: Promise<Win<Link>>
  /** Another hop has become possible: it begins when the plan says, which may be now, or `first`: now. */
  add(kind: HopKind, first: boolean): void
  /** Idempotent; after the end it does nothing. */
  callOff(reason: unknown): void
}

export function startRace<Link>({ kinds, dial, discard, now }: RaceParts<Link>): Race<Link> {
  const beganAt = now()
  const runners: Runner[] = []
  const ends = new Map<HopKind, AbortController>()
  const errors: HopError[] = []
  const { promise, resolve, reject } = Promise.withResolvers<Win<Link>>()
  // Who called a race off does not wait for it.
  promise.catch(() => undefined)
  let timer: ReturnType<typeof setTimeout> | undefined
  let isOver = false

  const change = (kind: HopKind, facts: Partial<Runner>): void => {
    const index = runners.findIndex((runner) => runner.kind === kind)
    const runner = runners[index]
    if (runner !== undefined) runners[index] = { ...runner, ...facts }
  }

  const finish = (reason: unknown): void => {
    isOver = true
    clearTimeout(timer)
    for (const end of ends.values()) end.abort(reason)
  }

  const hanging = (reason: unknown): HopError[] => {
    const at = now() - beganAt
    return runners.flatMap(({ kind, startedAt, failed }) =>
      startedAt === undefined || failed ? [] : [new HopError(kind, at - startedAt, true, reason)],
    )
  }

  const begin = (kind: HopKind): void => {
    const startedAt = now()
    change(kind, { startedAt: startedAt - beganAt })
    const end = new AbortController()
    ends.set(kind, end)
    const onThrough = (): void => {
      if (isOver) return
      change(kind, { throughAt: now() - beganAt })
      schedule()
    }
    dial(kind, end.signal, onThrough).then(
      (link) => {
        if (isOver) return discard(link)
        change(kind, { failed: true })
        const missed = [...errors, ...hanging(new Error('another was quicker'))]
        finish(new Error(`${kind} was quicker`))
        resolve({ kind, link, ms: now() - beganAt, missed })
      },
      (error: unknown) => {
        if (isOver) return
        errors.push(new HopError(kind, now() - startedAt, false, error))
        change(kind, { failed: true })
        schedule()
      },
    )
  }

  const schedule = (): void => {
    clearTimeout(timer)
    const next = nextStart(runners)
    if (next !== undefined) {
      const waitMs = next.at - (now() - beganAt)
      if (waitMs > 0) timer = setTimeout(schedule, waitMs)
      else {
        begin(next.kind)
        schedule()
      }
    } else if (runners.every(({ failed }) => failed)) {
      finish(undefined)
      reject(new AggregateError(errors, 'no first hop came in'))
    }
  }

  const add = (kind: HopKind): void => {
    if (!runners.some((runner) => runner.kind === kind)) runners.push({ kind, startedAt: undefined, throughAt: undefined, failed: false })
  }

  for (const kind of kinds) add(kind)
  schedule()
  return {
    won: promise,
    add(kind, first) {
      if (isOver || runners.some((runner) => runner.kind === kind)) return
      add(kind)
      if (first) begin(kind)
      schedule()
    },
    callOff(reason) {
      if (isOver) return
      errors.push(...hanging(reason))
      finish(reason)
      reject(new AggregateError(errors, 'the race was called off'))
    },
  }
}
