/**
 * Keeps a peer registered at one rendezvous point in one namespace, and finds the others there: asks when registrar-state.ts says so.
 *
 *     const registrar = createRendezvousRegistrar({ client, point, namespace: 'footbridge', onFound: (found) => … })
 *     registrar.addressesChanged(true)
 *     …
 *     await registrar.stop()
 *
 * Not here: which points there are and how many are used, and what becomes of the peers that were found.
 */
import type { RecordForm } from './records.ts'
import {
  DEFAULT_TIMES,
  initialState,
  next,
  nextAt,
  wordOf,
  type RegistrarEffect,
  type RegistrarEvent,
  type RegistrarTimes,
  type RegistrationWord,
} from './registrar-state.ts'
import type { Found, Point, RendezvousClient } from './rendezvous-client.ts'
import { RendezvousError } from './rendezvous-error.ts'
import { scheduleByTimer } from './schedule.ts'

/** Registrations of one page: an answer of some 300 KB. */
const PAGE = 500
/** A point that is away must not hold up a stop. */
const FAREWELL_TIMEOUT_MS = 2_000
/** A timer that is set for longer fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

export interface RegistrarOptions {
  readonly client: RendezvousClient
  readonly point: Point
  readonly namespace: string
  /** Told of whom the point has told, ourselves too; whom it told before may come again. Undefined: does not look for others. */
  readonly onFound?: (found: readonly Found[]) => void
  /** What to ask for. Default: what the point gives by itself. */
  readonly ttlSeconds?: number
  /** The registration's word may have changed. */
  readonly onChange?: (word: RegistrationWord) => void
  /** What failed, and is tried again by itself. */
  readonly onError?: (error: unknown, what: RegistrarEffect['type']) => void
  readonly times?: Partial<RegistrarTimes>
  /** Milliseconds since the epoch. */
  readonly clock?: () => number
  readonly random?: () => number
  /** Runs something once after so many milliseconds. @returns calls it off. */
  readonly schedule?: (run: () => void, ms: number) => () => void
}

export interface RendezvousRegistrar {
  /** Ours changed. It registers from the first time that there are some. */
  addressesChanged(hasAny: boolean): void
  /** Looks for others now. */
  look(): void
  word(): RegistrationWord
  /** Idempotent. Takes the registration back, if the point can be asked. */
  stop(): Promise<void>
}

/** Begins at once. */
export function createRendezvousRegistrar(options: RegistrarOptions): RendezvousRegistrar {
  const { client, point, namespace, onFound, ttlSeconds, onChange, onError } = options
  const { clock = Date.now, random = Math.random, schedule = scheduleByTimer } = options
  const times = { ...DEFAULT_TIMES, ...options.times }
  const stopping = new AbortController()
  let state = initialState(onFound !== undefined, clock())
  let form: RecordForm | undefined
  let callOff: (() => void) | undefined
  let stopped: Promise<void> | undefined
  /** Registering and taking back, one after the other. */
  let turn: Promise<void> = Promise.resolve()

  const apply = (event: RegistrarEvent): void => {
    if (stopping.signal.aborted) return
    const step = next(state, event, clock(), random(), times)
    state = step.state
    callOff?.()
    const at = nextAt(state)
    callOff = at === undefined ? undefined : schedule(() => apply({ type: 'tick' }), Math.min(Math.max(at - clock(), 0), MAX_TIMER_MS))
    onChange?.(wordOf(state.registration, clock()))
    for (const effect of step.effects) {
      // An UNREGISTER has no answer: on another stream it could be read after the REGISTER that follows it.
      if (effect.type === 'discover') void perform(effect)
      else turn = turn.then(() => perform(effect))
    }
  }

  const perform = async (effect: RegistrarEffect): Promise<void> => {
    try {
      await RUN[effect.type](effect)
    } catch (error) {
      if (stopping.signal.aborted) return
      onError?.(error, effect.type)
      if (effect.type === 'register') apply({ type: 'register-failed' })
      if (effect.type === 'discover') {
        apply({ type: 'discover-failed', isCookie: error instanceof RendezvousError && error.code === 'invalid_cookie' })
      }
    }
  }

  const RUN = {
    async register() {
      const done = await client.register(point, namespace, {
        signal: stopping.signal,
        ...(ttlSeconds !== undefined && { ttlSeconds }),
        ...(form !== undefined && { form }),
      })
      form = done.form
      apply({ type: 'registered', ttlSeconds: done.ttlSeconds })
    },
    unregister: () => client.unregister(point, namespace, { signal: stopping.signal }),
    async discover(effect: RegistrarEffect) {
      const cookie = effect.type === 'discover' ? effect.cookie : undefined
      const answer = await client.discover(point, { namespace, limit: PAGE, cookie, signal: stopping.signal })
      if (stopping.signal.aborted) return
      if (answer.found.length > 0) onFound?.(answer.found)
      apply({ type: 'discovered', cookie: answer.cookie, isMore: answer.received >= PAGE })
    },
  }

  const stop = async (): Promise<void> => {
    const isRegistered = state.registration.until > clock()
    callOff?.()
    stopping.abort()
    await turn
    if (!isRegistered) return
    // It ends by itself where it cannot be taken back.
    await client.unregister(point, namespace, { timeoutMs: FAREWELL_TIMEOUT_MS }).catch(() => undefined)
  }

  apply({ type: 'tick' })
  return {
    addressesChanged: (hasAny) => apply({ type: 'addresses', hasAny }),
    look: () => apply({ type: 'look' }),
    word: () => wordOf(state.registration, clock()),
    stop: () => (stopped ??= stop()),
  }
}
