import 'fake-indexeddb/auto'
import type { SessionAnswer } from '@footbridge/shared/login'
import { expect, test, vi } from 'vitest'
import type { ConnectionState, Peer } from '../api.ts'
import { writable } from '../observable.ts'
import type { CheckUp } from './facts.ts'
import { runChecks, type Device, type RunParts } from './run.ts'
import { createCheckUp, type RunnerParts } from './runner.ts'

const bridge = '12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf'
const session = {
  accessToken: 'secret',
  firstHops: [`/dns/bridge.example/tcp/443/tls/ws/p2p/${bridge}`, `/dns/bridge.example/tcp/443/tls/http/http-path/api/p2p/${bridge}`],
  iceServers: [],
} as unknown as SessionAnswer
const online: ConnectionState = { state: 'online', session, done: [], firstHop: { kind: 'websocket', address: '', rttMs: 1 } }
const answer = (): Response =>
  new Response(JSON.stringify({ peer: bridge, name: 'bridge.example', version: '0.1.0', guests: false, serverTime: Date.now() }))

/** A WebKit: no WebRTC, no WebTransport. */
const device: Device = {
  PeerConnection: undefined,
  hasWebTransport: false,
  hasWebSocket: true,
  hasDatabase: true,
  storage: undefined,
  hasServiceWorker: false,
  hasWebLocks: true,
  isSecureContext: true,
  isOffline: () => false,
  timeZone: () => 'UTC',
}
const parts = (change: Partial<RunnerParts> = {}): RunnerParts => ({
  bridgeUrl: () => 'https://bridge.example',
  keptSession: async () => undefined,
  connection: writable<ConnectionState>(online),
  peers: writable<readonly Peer[]>([]),
  fetch: async () => answer(),
  now: Date.now,
  steady: () => performance.now(),
  device: () => device,
  probes: { runChecks: (run) => runChecks({ ...run, dial: async () => ({ connectMs: 3, proveMs: 2, rttMs: 1 }) }) },
  ...change,
})

test('the report fills in probe by probe, and ends with a verdict', async () => {
  const runner = createCheckUp(parts())
  expect(runner.report.get()).toMatchObject({ state: 'idle', checks: undefined, verdict: undefined })
  const seen: CheckUp[] = []
  runner.report.subscribe((report) => seen.push(report))
  await runner.start()
  const running = seen.map(({ checks }) => Object.values(checks ?? {}).filter(({ state }) => state === 'running').length)
  expect(running.slice(0, 2)).toEqual([0, 11])
  expect(running.at(-1)).toBe(0)
  expect(running.slice(1)).toEqual(running.slice(1).toSorted((a, b) => b - a))
  expect(seen.at(-1)).toMatchObject({
    state: 'done',
    verdict: { reach: 'fast', direct: 'no_webrtc', level: 'limited' },
    checks: {
      bridge: { state: 'works' },
      clock: { state: 'works' },
      webtransport: { state: 'unsupported' },
      websocket: { state: 'works', figures: { rttMs: 1 } },
      tunnel: { state: 'works' },
      udp: { state: 'unsupported' },
      webrtc: { state: 'unsupported' },
      peers: { state: 'unknown', because: 'nobody' },
      storage: { state: 'works' },
      browser: { state: 'works' },
    },
  })
})

test('there is one run at a time, and another after it', async () => {
  const run = vi.fn<(run: RunParts) => Promise<void>>(async () => undefined)
  const runner = createCheckUp(parts({ probes: { runChecks: run } }))
  await Promise.all([runner.start(), runner.start()])
  expect(run).toHaveBeenCalledTimes(1)
  await runner.start()
  expect(run).toHaveBeenCalledTimes(2)
})

test('stopped, it says what it knows, calls the probes off, and takes no late answer', async () => {
  let probing: RunParts | undefined
  const runner = createCheckUp(
    parts({
      probes: {
        runChecks(run) {
          probing = run
          run.tell('browser', { state: 'broken', reason: 'insecure' })
          return new Promise(() => undefined)
        },
      },
    }),
  )
  const over = runner.start()
  await vi.waitFor(() => expect(probing).toBeDefined())
  runner.stop()
  runner.stop()
  await over
  expect(probing?.signal.aborted).toBe(true)
  probing?.tell('bridge', { state: 'broken', reason: 'offline' })
  expect(runner.report.get()).toMatchObject({
    state: 'stopped',
    checks: { browser: { state: 'broken' }, bridge: { state: 'unknown', because: 'stopped' } },
  })
})

test('away from its bridge it uses the last session; never logged in, it asks the bridge for what needs none', async () => {
  const away = writable<ConnectionState>({ state: 'away', code: 'unreachable', attempt: 1, retryAt: 0 })
  const kept = createCheckUp(parts({ connection: away, keptSession: async () => session }))
  await kept.start()
  expect(kept.report.get()).toMatchObject({
    checks: { tunnel: { state: 'works' }, udp: { state: 'unsupported' } },
    verdict: { level: 'bad' },
  })
  const out = createCheckUp(parts({ connection: writable<ConnectionState>({ state: 'out' }) }))
  await out.start()
  expect(out.report.get()).toMatchObject({
    link: { state: 'not_online', code: undefined },
    checks: { websocket: { state: 'works' }, tunnel: { state: 'unknown', because: 'no_session' } },
    verdict: { reach: 'fast', advice: ['log_in'] },
  })
})

test('probes that cannot be loaded, and a fault in one, leave the rest unknown instead of running', async () => {
  const unloaded = createCheckUp(parts({ probes: { runChecks: () => Promise.reject(new TypeError('Failed to fetch')) } }))
  await unloaded.start()
  expect(unloaded.report.get()).toMatchObject({ state: 'done', checks: { udp: { state: 'unknown', because: 'fault' } } })
  const PeerConnection = class {
    constructor() {
      throw new TypeError('broken')
    }
  } as unknown as Device['PeerConnection']
  const faulty = createCheckUp(parts({ device: () => ({ ...device, PeerConnection }) }))
  await faulty.start()
  expect(faulty.report.get().checks).toMatchObject({ webrtc: { state: 'unknown', because: 'fault' }, websocket: { state: 'works' } })
})

test('no token and no key stands in a report', async () => {
  const runner = createCheckUp(parts())
  await runner.start()
  expect(JSON.stringify(runner.report.get())).not.toContain('secret')
})
