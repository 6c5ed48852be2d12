import type { ErrorCode } from '@footbridge/shared/errors'
import type { SessionAnswer } from '@footbridge/shared/login'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MAX_TRY_MS, MIN_TRY_MS, QUICK_MS } from './seek.ts'
import { decide, MAX_RETRY_AFTER_MS, MAX_WAIT_MS, nextTickAt, START, type Supervisor, type SupervisorEvent } from './supervisor-state.ts'

const session: SessionAnswer = {
  peer: 'alice',
  bridge: { peer: 'bridge', name: 'Bridge', version: '1' },
  accessToken: 'secret',
  serverTime: 0,
  expiresAt: 60 * 60_000,
  firstHops: [],
  relayAddresses: [],
  iceServers: [],
  token: { id: 't', label: '', guest: false, limits: { expiresAt: null, devices: null, bytesPerDay: null, bytesPerSecond: null } },
}

/** Feeds events one after another; `run: 0` stands for the step that runs. */
function after(events: readonly SupervisorEvent[], now = 0, from: Supervisor = START): Supervisor {
  return events.reduce(
    (current, event) => decide(current, 'run' in event ? { ...event, run: current.run } : event, { now, random: 1 }).next,
    from,
  )
}

const arrive: readonly SupervisorEvent[] = [
  { type: 'start', kind: 'given' },
  { type: 'loggedIn', run: 0, session },
  { type: 'dialled', run: 0 },
  { type: 'reserved', run: 0, ttlMs: 60 * 60_000 },
]
const fail = (code: ErrorCode, retryAfterMs?: number): SupervisorEvent => ({ type: 'failed', run: 0, code, retryAfterMs })

test('a login leads through dial and reservation to online', () => {
  expect(after(arrive)).toMatchObject({ state: 'online', session, renewAt: 45 * 60_000, refreshAt: 30 * 60_000, doubt: undefined })
})

test('a lost link is dialled again at once, then quickly for minutes, then slowly, and quickly again when something wakes it', () => {
  let { next, effects } = decide(after(arrive), { type: 'lost' }, { now: 0, random: 1 })
  expect(effects).toEqual([{ type: 'dial', run: next.run, deadlineMs: 3_200, fresh: false }])
  const tries: number[] = []
  let at = 0
  while (tries.length < 400) {
    at = nextTickAt(next) ?? NaN
    ;({ next, effects } = decide(next, { type: 'tick' }, { now: at, random: 1 }))
    expect(effects).toMatchObject([{ type: 'dial' }])
    tries.push(at)
  }
  const pauses = tries.map((each, index) => each - (tries[index - 1] ?? 0))
  const quick = pauses.filter((_, index) => (tries[index - 1] ?? 0) < QUICK_MS)
  expect([Math.min(...quick), Math.max(...quick)]).toEqual([MAX_TRY_MS, MAX_TRY_MS])
  expect(pauses.at(-1)).toBe(MAX_WAIT_MS)
  const woken = decide(next, { type: 'wake' }, { now: at + 2_000, random: 0 })
  expect(woken.effects).toMatchObject([{ type: 'dial' }])
  expect(nextTickAt(woken.next)).toBe(at + 2_000 + MIN_TRY_MS)
})

test('while the bridge is away nothing but dials happens, however often they fail', () => {
  let current = after([...arrive, { type: 'lost' }])
  for (let round = 0; round < 50; round++) {
    const { next, effects } = decide(current, { ...fail('unreachable'), run: current.run } as SupervisorEvent, { now: round, random: 0 })
    expect([next.state, effects]).toEqual(['dial', []])
    current = next
  }
})

test('a silent link is kept while another is dialled beside it, and whichever answers first is used', () => {
  const { next: doubted, effects } = decide(after(arrive), { type: 'doubted' }, { now: 1000, random: 0 })
  expect(effects).toMatchObject([{ type: 'dial', run: doubted.run, fresh: true }])
  expect(doubted.state).toBe('online')
  expect(decide(doubted, { type: 'tick' }, { now: nextTickAt(doubted) ?? 0, random: 0 }).effects).toMatchObject([
    { type: 'dial', fresh: true },
  ])
  const heard = after([{ type: 'heard' }], 1100, doubted)
  expect(heard).toMatchObject({ state: 'online', doubt: undefined })
  expect(heard.run, 'the dials are called off').not.toBe(doubted.run)
  expect(after([{ type: 'dialled', run: 0 }], 1100, doubted).state).toBe('reserve')
  expect(after([fail('unreachable')], 1100, doubted)).toBe(doubted)
  expect(after([{ type: 'lost' }], 1100, doubted).state).toBe('dial')
})

test('a bridge that restarts is left, and looked for when it asked to be', () => {
  const { next, effects } = decide(after(arrive), { type: 'draining', reconnectInMs: 4_000, awayMs: 20_000 }, { now: 0, random: 0 })
  expect(effects).toEqual([{ type: 'hangUp' }])
  expect(next).toMatchObject({ state: 'dial', code: 'unavailable', session })
  expect(after([{ type: 'lost' }, { type: 'tick' }], 3_999, next)).toBe(next)
  const tried = decide(next, { type: 'tick' }, { now: 4_000, random: 0 })
  expect(tried.effects).toMatchObject([{ type: 'dial' }])
  expect(nextTickAt(tried.next)).toBe(4_000 + MIN_TRY_MS)
})

test('a wake does not wait for a restart that was announced, perhaps before a sleep', () => {
  const next = after([...arrive, { type: 'draining', reconnectInMs: 60_000, awayMs: 60_000 }])
  expect(decide(next, { type: 'wake' }, { now: 1_000, random: 0 }).effects).toMatchObject([{ type: 'dial' }])
})

test('a bridge that says it will not be back is looked for slowly', () => {
  const gone = after([...arrive, { type: 'draining', reconnectInMs: 0, awayMs: null }, { type: 'tick' }], 0)
  expect((nextTickAt(gone) ?? 0) - MAX_TRY_MS).toBeGreaterThan(0)
})

test('a link that is open but leads nowhere is not dialled in a circle', () => {
  let current = after([...arrive, { type: 'lost' }])
  let dials = 0
  for (let now = 0; now < 20_000; now += 10) {
    const { next, effects } = decide(current, { type: 'tick' }, { now, random: 0 })
    dials += effects.filter(({ type }) => type === 'dial').length
    current = after([{ type: 'dialled', run: 0 }, fail('timeout')], now, next)
  }
  expect(dials).toBeLessThan(20)
})

test('a restarted bridge, which refuses the reservation, is logged in to again at once', () => {
  const refused = after([...arrive, { type: 'lost' }, { type: 'dialled', run: 0 }, fail('unauthorized')])
  expect(refused).toMatchObject({ state: 'login', kind: 'device' })
  const again = after([{ type: 'loggedIn', run: 0, session }, { type: 'dialled', run: 0 }, fail('unauthorized')], 0, refused)
  expect(again.state, 'a second refusal waits, or two machines would spin').toBe('waiting')
})

test('a revoked token ends in out with its reason', () => {
  const out = after([...arrive, { type: 'lost' }, { type: 'dialled', run: 0 }, fail('unauthorized'), fail('token_revoked')])
  expect(out).toMatchObject({ state: 'out', reason: 'token_revoked' })
})

test.each<[ErrorCode, 'out' | 'waiting' | 'dial', string]>([
  ['bad_request', 'out', 'the two speak different versions'],
  ['signature_invalid', 'out', 'the key stays the same'],
  ['clock_skew', 'out', 'the bridge has corrected it once already'],
  ['token_unknown', 'out', 'only another token helps'],
  ['token_expired', 'out', 'only another token helps'],
  ['token_revoked', 'out', 'only another token helps'],
  ['token_devices_full', 'out', 'only another token helps'],
  ['device_unknown', 'out', 'only a token helps'],
  ['guests_off', 'out', 'only a token helps'],
  ['guests_full', 'out', 'only a token helps'],
  ['unreachable', 'dial', 'networks come back'],
  ['timeout', 'dial', 'networks come back'],
  ['rate_limited', 'waiting', 'the bridge says when'],
  ['bridge_full', 'waiting', 'somebody will leave'],
  ['unavailable', 'dial', 'it is just starting'],
  ['internal', 'waiting', 'a fault may pass'],
  ['not_a_bridge', 'waiting', 'a captive portal lets go'],
  ['replayed', 'waiting', 'the next login has another nonce'],
])('a device whose login is refused with %s is %s (%s)', (code, state) => {
  expect(after([{ type: 'start', kind: 'device' }, fail(code)]).state).toBe(state)
})

test('a renewal that is refused for good ends the session, any other is tried again while it lasts', () => {
  expect(after([...arrive, { type: 'renewFailed', code: 'token_revoked' }])).toMatchObject({ state: 'out', reason: 'token_revoked' })
  expect(after([...arrive, { type: 'renewFailed', code: 'unreachable' }], 1_000)).toMatchObject({
    state: 'online',
    renewAt: 1_000 + MAX_WAIT_MS,
  })
})

test('a device that another one replaced stays out, whatever wakes it, until its person comes in again', () => {
  const replaced = after([...arrive, { type: 'stop', reason: 'other_device' }])
  const later = after([{ type: 'wake' }, { type: 'lost' }, { type: 'sessionLost' }, { type: 'tick' }], 60_000, replaced)
  expect(later).toMatchObject({ state: 'out', reason: 'other_device' })
  expect(nextTickAt(later)).toBeUndefined()
  expect(after([{ type: 'start', kind: 'device' }], 60_000, later).state).toBe('login')
})

test('what a person tries is not tried again behind their back', () => {
  expect(after([{ type: 'start', kind: 'given' }, fail('unreachable')])).toMatchObject({ state: 'out', reason: 'unreachable' })
  expect(after([{ type: 'start', kind: 'device' }, fail('unreachable')])).toMatchObject({ state: 'dial', session: undefined })
})

test('a bridge that asks for patience gets it, within reason', () => {
  expect(after([{ type: 'start', kind: 'device' }, fail('rate_limited', 90_000)])).toMatchObject({ retryAt: 90_000 })
  expect(after([{ type: 'start', kind: 'device' }, fail('rate_limited', 1e12)])).toMatchObject({ retryAt: MAX_RETRY_AFTER_MS })
})

test('a session is renewed and a reservation refreshed before they end, once each', () => {
  const online = after(arrive)
  const renew = decide(online, { type: 'tick' }, { now: 50 * 60_000, random: 0 })
  expect(renew.effects).toEqual([{ type: 'renew' }, { type: 'refresh' }])
  expect(decide(renew.next, { type: 'tick' }, { now: 50 * 60_000, random: 0 }).effects).toEqual([])
})

test('no clock of this device ends a session: set forward it only asks sooner, set back it asks at once', () => {
  const year = 365 * 24 * 60 * 60_000
  const ahead = decide(after(arrive), { type: 'tick' }, { now: year, random: 0 })
  expect([ahead.next.state, ahead.effects]).toEqual(['online', [{ type: 'renew' }, { type: 'refresh' }]])
  const back = decide(after(arrive, year), { type: 'clockSetBack' }, { now: 0, random: 0 })
  expect([back.next.state, back.effects]).toEqual(['online', [{ type: 'renew' }, { type: 'refresh' }]])
})

test('what an older step reports is ignored', () => {
  const dialling = after(arrive.slice(0, 2))
  expect(decide(dialling, { type: 'dialled', run: dialling.run - 1 }, { now: 0, random: 0 }).next).toBe(dialling)
  expect(decide(dialling, { ...fail('unreachable'), run: dialling.run - 1 } as SupervisorEvent, { now: 0, random: 0 }).next).toBe(dialling)
})

test('whatever happens, one step runs, waiting ends, and a reachable bridge is reached', () => {
  const codes: ErrorCode[] = ['unreachable', 'timeout', 'rate_limited', 'unauthorized', 'internal', 'not_a_bridge', 'bridge_full']
  const event = fc.oneof(
    fc.constantFrom<SupervisorEvent>(
      { type: 'start', kind: 'device' },
      { type: 'loggedIn', run: 0, session },
      { type: 'dialled', run: 0 },
      { type: 'reserved', run: 0, ttlMs: 1000 },
      { type: 'lost' },
      { type: 'doubted' },
      { type: 'heard' },
      { type: 'draining', reconnectInMs: 5_000, awayMs: 20_000 },
      { type: 'draining', reconnectInMs: 1e12, awayMs: null },
      { type: 'clockSetBack' },
      { type: 'sessionLost' },
      { type: 'tick' },
      { type: 'wake' },
      { type: 'renewed', session },
      { type: 'renewFailed', code: 'unreachable' },
      { type: 'refreshed', ttlMs: 1000 },
    ),
    fc.record({
      type: fc.constant('failed' as const),
      run: fc.constant(0),
      code: fc.constantFrom(...codes),
      retryAfterMs: fc.option(fc.nat(), { nil: undefined }),
    }),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(event, fc.nat(100_000), fc.boolean()), { maxLength: 60 }), (story) => {
      let current: Supervisor = after([{ type: 'start', kind: 'device' }])
      let now = 0
      for (const [each, elapsed, isStale] of story) {
        now += elapsed
        const before = current
        const { next, effects } = decide(current, 'run' in each ? { ...each, run: isStale ? -1 : current.run } : each, { now, random: 0.5 })
        current = next
        expect(current.run).toBeGreaterThanOrEqual(before.run)
        const steps = effects.filter((effect) => effect.type === 'login' || effect.type === 'dial' || effect.type === 'reserve')
        expect(steps.length).toBeLessThanOrEqual(1)
        for (const step of steps) {
          expect(step).toMatchObject({ run: current.run })
          const isBeside = step.type === 'dial' && step.fresh
          expect(current.state).toBe(isBeside ? 'online' : step.type)
          // Dials overlap, the other steps do not.
          if (step.type !== 'dial') expect(current.run).toBeGreaterThan(before.run)
        }
        if (current.state === 'dial') expect(nextTickAt(current)).toBeLessThanOrEqual(now + MAX_RETRY_AFTER_MS)
        if (current.state === 'waiting') expect(current.retryAt).toBeLessThanOrEqual(now + MAX_RETRY_AFTER_MS)
        // None of these codes is final, so nothing here may give up.
        expect(current.state).not.toBe('out')
      }
      for (let round = 0; round < 4 && current.state !== 'online'; round++) {
        now = Math.max(now, nextTickAt(current) ?? now)
        const dialled: SupervisorEvent = { type: 'dialled', run: 0 }
        const loggedIn: SupervisorEvent = { type: 'loggedIn', run: 0, session }
        current = after([{ type: 'tick' }, dialled, loggedIn, dialled, { type: 'reserved', run: 0, ttlMs: 1000 }], now, current)
      }
      expect(current.state).toBe('online')
    }),
  )
})

test('a better link needs a reservation of its own, and nobody is told of a loss', () => {
  const online = after(arrive)
  const moved = decide(online, { type: 'moved' }, { now: 5_000, random: 1 })
  expect(moved.next).toMatchObject({ state: 'reserve', session })
  expect(moved.effects).toEqual([{ type: 'reserve', run: moved.next.run }])
  expect(after([{ type: 'reserved', run: 0, ttlMs: 60 * 60_000 }], 5_000, moved.next)).toMatchObject({ state: 'online', doubt: undefined })
  expect(after([{ type: 'moved' }], 0, after(arrive.slice(0, 2)))).toMatchObject({ state: 'dial' })
})
