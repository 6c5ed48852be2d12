/** When it asks: the pure machine, and the driver with a client and a clock of the test's own. Rules T1 to T8 of SPEC.md. */
import { peerIdFromString } from '@libp2p/peer-id'
import { FootbridgeError } from '@footbridge/shared/errors'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { DEFAULT_TIMES, initialState, next, nextAt, wordOf, type RegistrarEvent, type RegistrarState } from './registrar-state.ts'
import type { Discovered, DiscoverOptions, Found, Registered, RegisterOptions, RendezvousClient } from './rendezvous-client.ts'
import { RendezvousError } from './rendezvous-error.ts'
import { createRendezvousRegistrar, type RegistrarOptions, type RendezvousRegistrar } from './rendezvous-registrar.ts'

// With FUZZ_INPUTS it takes minutes, on a machine that may be busy.
vi.setConfig({ testTimeout: 900_000 })

const RUNS = Math.min(20_000, Number(process.env['FUZZ_INPUTS'] ?? 1_000))
const POINT = peerIdFromString('12D3KooWGzBTkvHqLgVHWXsQzzYVrRBkbGj7WJ3xxqkfnyBVsZPD')

describe('the machine', () => {
  const event: fc.Arbitrary<RegistrarEvent> = fc.oneof(
    fc.constant<RegistrarEvent>({ type: 'tick' }),
    fc.constant<RegistrarEvent>({ type: 'look' }),
    fc.boolean().map((hasAny): RegistrarEvent => ({ type: 'addresses', hasAny })),
    fc.integer({ min: 1, max: 7200 }).map((ttlSeconds): RegistrarEvent => ({ type: 'registered', ttlSeconds })),
    fc.constant<RegistrarEvent>({ type: 'register-failed' }),
    fc.record({ type: fc.constant('discovered' as const), cookie: fc.constantFrom(undefined, Uint8Array.of(1)), isMore: fc.boolean() }),
    fc.boolean().map((isCookie): RegistrarEvent => ({ type: 'discover-failed', isCookie })),
  )

  test('T1-T5: whatever happens, it asks one thing of each kind at a time, and never forgets to ask again', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(event, fc.integer({ min: 0, max: 700_000 }), fc.double({ min: 0, max: 0.999, noNaN: true })), { maxLength: 80 }),
        (events) => {
          let state: RegistrarState = initialState(true, 0)
          let now = 0
          for (const [each, wait, random] of events) {
            now += wait
            const before = state
            const step = next(state, each, now, random, DEFAULT_TIMES)
            state = step.state
            for (const effect of step.effects) {
              if (effect.type === 'register')
                expect([before.registration.state === 'asking' && each.type === 'tick', state.registration.state]).toEqual([
                  false,
                  'asking',
                ])
              if (effect.type === 'discover') {
                expect(state.discovery.state).toBe('asking')
                expect(before.discovery.state !== 'asking' || each.type === 'discovered' || each.type === 'discover-failed').toBe(true)
                if (before.discovery.state === 'asking' && each.type === 'discover-failed') expect(effect.cookie).toBeUndefined()
              }
            }
            const at = nextAt(state)
            const waits = state.registration.state === 'asking' || state.registration.state === 'off'
            expect(at === undefined).toBe(waits && state.discovery.state === 'asking')
            if (at !== undefined) expect(at - now).toBeLessThanOrEqual(7200 * 1000)
            if (state.registration.state === 'registered') {
              expect(state.registration.at).toBeLessThan(state.registration.until)
              expect(wordOf(state.registration, state.registration.until)).toBe('expired')
            }
          }
        },
      ),
      { numRuns: RUNS },
    )
  })
})

describe('the registrar', () => {
  test('T1: registers once there is an address, renews at half to three quarters of its time, and says what it is', async () => {
    const stage = createStage()
    await stage.settle()
    expect([stage.calls(), stage.registrar.word()]).toEqual(['discover -', 'pending'])
    stage.registrar.addressesChanged(true)
    expect(stage.registrar.word()).toBe('requested')
    await stage.settle()
    expect(stage.registrar.word()).toBe('registered')
    stage.time(299_999)
    await stage.settle()
    expect(stage.count('register')).toBe(1)
    stage.time(150_001)
    await stage.settle()
    expect(stage.count('register')).toBe(2)
  })

  test('T2: waits longer after each failure, and is expired when it came to nothing in time', async () => {
    const stage = createStage({ register: () => Promise.reject(new FootbridgeError('peer_unreachable', 'away')) })
    stage.registrar.addressesChanged(true)
    await stage.settle()
    const waits: number[] = []
    for (let tries = 1; tries < 6; tries++) {
      const from = stage.now()
      while (stage.count('register') === tries) {
        stage.time(1_000)
        await stage.settle()
      }
      waits.push(stage.now() - from)
    }
    expect(waits).toEqual(waits.toSorted((a, b) => a - b))
    expect([stage.registrar.word(), stage.errors.every((error) => error instanceof FootbridgeError)]).toEqual(['pending', true])
  })

  test('T3: shows the cookie of the last answer, and discovers again without one that was refused', async () => {
    const stage = createStage({
      discover: ({ cookie }, count) =>
        cookie !== undefined && count === 3
          ? Promise.reject(new RendezvousError('invalid_cookie', 'restarted', { status: 103 }))
          : Promise.resolve({ found: [], cookie: Uint8Array.of(count), received: 0 }),
    })
    await stage.settle()
    for (let look = 0; look < 3; look++) {
      stage.registrar.look()
      await stage.settle()
    }
    expect(stage.calls()).toBe('discover -, discover 1, discover 2, discover -, discover 4')
  })

  test('T3: a point that refuses a cookie which nobody showed is asked again later, and not at once', async () => {
    const stage = createStage({ discover: () => Promise.reject(new RendezvousError('invalid_cookie', 'confused', { status: 103 })) })
    await stage.settle()
    expect(stage.calls()).toBe('discover -')
    stage.time(10_000)
    await stage.settle()
    expect(stage.calls()).toBe('discover -, discover -')
  })

  test('T4: reads on at once while there are full pages', async () => {
    const stage = createStage({
      discover: ({ limit = 0 }, page) => Promise.resolve({ found: [], cookie: Uint8Array.of(page), received: page < 3 ? limit : 1 }),
    })
    await stage.settle()
    expect(stage.calls()).toBe('discover -, discover 1, discover 2')
  })

  test('T5: registers again when its addresses changed, also while it was registering, and takes back what came through too late', async () => {
    const gate = Promise.withResolvers<Registered>()
    const stage = createStage({
      register: () => (stage.count('register') === 1 ? gate.promise : Promise.resolve({ ttlSeconds: 600, form: 'legacy' })),
    })
    stage.registrar.addressesChanged(true)
    await stage.settle()
    stage.registrar.addressesChanged(true)
    await stage.settle()
    expect(stage.count('register')).toBe(1)
    gate.resolve({ ttlSeconds: 600, form: 'legacy' })
    await stage.settle()
    expect(stage.calls()).toContain('register standard, register legacy')
    stage.registrar.addressesChanged(false)
    await stage.settle()
    expect([stage.count('unregister'), stage.registrar.word()]).toEqual([1, 'pending'])
  })

  test('T6: takes its registration back when it stops, once, and leaves no timer', async () => {
    const stage = createStage()
    stage.registrar.addressesChanged(true)
    await stage.settle()
    await Promise.all([stage.registrar.stop(), stage.registrar.stop()])
    expect([stage.count('unregister'), stage.timers()]).toEqual([1, 0])
    stage.registrar.look()
    stage.registrar.addressesChanged(true)
    await stage.settle()
    expect([stage.count('register'), stage.timers()]).toEqual([1, 0])
  })

  test('T7: calls off what is on its way when it stops', async () => {
    const stage = createStage({
      discover: ({ signal }) =>
        new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new FootbridgeError('aborted', 'stopped')))),
    })
    await stage.settle()
    await stage.registrar.stop()
    await stage.settle()
    expect([stage.errors, stage.timers(), stage.count('unregister')]).toEqual([[], 0, 0])
  })
})

interface Script {
  readonly register?: (options: RegisterOptions) => Promise<Registered>
  /** @param count which call it is, from 1. */
  readonly discover?: (options: DiscoverOptions, count: number) => Promise<Discovered>
}

interface Stage {
  readonly registrar: RendezvousRegistrar
  readonly errors: unknown[]
  calls(): string
  count(kind: string): number
  now(): number
  /** Lets it pass, and runs what is due. */
  time(ms: number): void
  timers(): number
  settle(): Promise<void>
}

function createStage(script: Script = {}): Stage {
  let now = 1_000_000
  let timer: { readonly run: () => void; readonly at: number } | undefined
  const log: string[] = []
  const errors: unknown[] = []
  const client: RendezvousClient = {
    register: (_point, _namespace, options = {}) => {
      log.push(`register ${options.form ?? 'standard'}`)
      return script.register?.(options) ?? Promise.resolve({ ttlSeconds: 600, form: 'standard' })
    },
    unregister: () => {
      log.push('unregister')
      return Promise.resolve()
    },
    discover: (_point, options = {}) => {
      log.push(`discover ${options.cookie?.join() ?? '-'}`)
      return (
        script.discover?.(options, log.filter((line) => line.startsWith('discover')).length) ??
        Promise.resolve({ found: [], cookie: Uint8Array.of(97), received: 0 })
      )
    },
  }
  const options: RegistrarOptions = {
    client,
    point: POINT,
    namespace: 'meadow',
    onFound: (_found: readonly Found[]) => undefined,
    onError: (error) => errors.push(error),
    clock: () => now,
    random: () => 0.5,
    schedule(run, ms) {
      const mine = { run, at: now + ms }
      timer = mine
      return () => {
        if (timer === mine) timer = undefined
      }
    },
  }
  const registrar = createRendezvousRegistrar(options)
  return {
    registrar,
    errors,
    calls: () => log.join(', '),
    count: (kind) => log.filter((line) => line.startsWith(kind)).length,
    now: () => now,
    time(ms) {
      now += ms
      if (timer === undefined || timer.at > now) return
      const { run } = timer
      timer = undefined
      run()
    },
    timers: () => Number(timer !== undefined),
    async settle() {
      for (let turn = 0; turn < 50; turn++) await Promise.resolve()
    },
  }
}
