import type { ErrorCode } from '@footbridge/shared/errors'
import type { SessionAnswer } from '@footbridge/shared/login'
import fc from 'fast-check'
import { expect, test } from 'vitest'
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
  expect(after(arrive)).toMatchObject({ state: 'online', session, renewAt: 45 * 60_000, refreshAt: 30 * 60_000, expiresAt: 60 * 60_000 })
})

test('a lost link is dialled again at once, then with a growing wait', () => {
  const lost = after([...arrive, { type: 'lost' }])
  expect(lost.state).toBe('dial')
  let current = after([fail('unreachable')], 0, lost)
  const waits: number[] = []
  for (let round = 0; round < 15; round++) {
    if (current.state !== 'waiting') throw new Error(`not waiting but ${current.state}`)
    waits.push(current.retryAt)
    current = after([{ type: 'wake' }, fail('unreachable')], 0, current)
  }
  expect(waits.slice(0, 4)).toEqual([500, 1000, 2000, 2000])
  expect(waits.slice(9, 12)).toEqual([2000, 4000, 8000])
  expect(waits.at(-1)).toBe(MAX_WAIT_MS)
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

test.each<[ErrorCode, 'out' | 'waiting', string]>([
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
  ['unreachable', 'waiting', 'networks come back'],
  ['timeout', 'waiting', 'networks come back'],
  ['rate_limited', 'waiting', 'the bridge says when'],
  ['bridge_full', 'waiting', 'somebody will leave'],
  ['unavailable', 'waiting', 'it is just starting'],
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
  expect(after([{ type: 'start', kind: 'device' }, fail('unreachable')])).toMatchObject({ state: 'waiting' })
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
        for (const step of steps) expect(step).toMatchObject({ type: current.state, run: current.run })
        if (current !== before && ['login', 'dial', 'reserve'].includes(current.state)) expect(steps.length).toBe(1)
        if (current.state === 'waiting') expect(current.retryAt).toBeLessThanOrEqual(now + MAX_RETRY_AFTER_MS)
        // None of these codes is final, so nothing here may give up.
        expect(current.state).not.toBe('out')
      }
      for (let round = 0; round < 8 && current.state !== 'online'; round++) {
        now = Math.max(now, nextTickAt(current) ?? now)
        current = after(
          [{ type: 'tick' }, { type: 'loggedIn', run: 0, session }, { type: 'dialled', run: 0 }, { type: 'reserved', run: 0, ttlMs: 1000 }],
          now,
          current,
        )
      }
      expect(current.state).toBe('online')
    }),
  )
})
