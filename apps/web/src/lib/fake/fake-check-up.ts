/** The fake's check-up: what one finds on a few networks, filled in line by line as a real one. Development only. */
import type {
  Checks,
  CheckUp,
  CheckUpRunner,
  HopFigures,
  HopReason,
  Check,
  Link,
  NatKind,
  UdpFigures,
} from '@footbridge/client/check-up/facts'
import { judge } from '@footbridge/client/check-up/judge'
import { Cell } from './cell.ts'

const hop = (address: string, connectMs: number, rttMs: number): Check<HopFigures, HopReason> => ({
  state: 'works',
  figures: { address, connectMs, proveMs: rttMs * 1.4, rttMs },
})
const silent = { state: 'broken', reason: 'silent', afterMs: 5_003 } as const
const hangs = { state: 'broken', reason: 'no_answer', afterMs: 8_001 } as const
const refused = { state: 'broken', reason: 'refused', afterMs: 41, detail: 'Error: could not connect to wss://bridge.example/' } as const
const udp = (nat: NatKind): Check<UdpFigures, 'silent'> => ({
  state: 'works',
  figures: {
    nat,
    mapped: [{ address: '198.51.100.7', port: 41_822 }, ...(nat === 'symmetric' ? [{ address: '198.51.100.7', port: 9_031 }] : [])],
    asked: 2,
    answered: 2,
    ms: 21,
    isInside: false,
    ipv6: false,
  },
})

const SOUND: Checks = {
  bridge: { state: 'works', figures: { name: 'bridge.example', version: '0.1.0', firstMs: 84, rttMs: 18 } },
  webtransport: hop('/dns4/bridge.example/udp/443/quic-v1/webtransport', 43, 17.8),
  websocket: hop('/dns4/bridge.example/tcp/443/tls/ws', 61, 18.2),
  tunnel: hop('/dns4/bridge.example/tcp/443/tls/http/http-path/api%2Fv1%2Ftunnels', 38, 37),
  udp: udp('endpoint_independent'),
  turn: { state: 'not_offered' },
  webrtc: { state: 'works', figures: { ms: 52 } },
  peers: { state: 'works', figures: { direct: 1, relayed: 2, failures: ['UDP did not get through on either network'] } },
  clock: { state: 'works', figures: { skewMs: 240, uncertaintyMs: 9, timeZone: 'Europe/Lisbon' } },
  storage: { state: 'works', figures: { usedBytes: 412_000_000, quotaBytes: 12_000_000_000, persistent: true } },
  browser: { state: 'works', figures: { webRtc: true, webTransport: true, serviceWorker: true, webLocks: true } },
}
const ALONE: Checks['peers'] = { state: 'unknown', because: 'nobody' }
const NO_BRIDGE = {
  webtransport: hangs,
  websocket: refused,
  tunnel: { state: 'broken', reason: 'refused', afterMs: 37 },
  udp: silent,
  peers: ALONE,
  clock: { state: 'unknown', because: 'no_bridge' },
} as const satisfies Partial<Checks>
const online: Link = { state: 'online', over: 'websocket' }
const away: Link = { state: 'not_online', code: 'unreachable' }

const FOUND: Record<string, readonly [Partial<Checks>, Link]> = {
  away: [{ ...NO_BRIDGE, bridge: { state: 'broken', reason: 'unreachable', afterMs: 33 } }, away],
  portal: [{ ...NO_BRIDGE, bridge: { state: 'broken', reason: 'portal', detail: 'the answer leads elsewhere' } }, away],
  offline: [
    { ...NO_BRIDGE, bridge: { state: 'broken', reason: 'offline' }, webrtc: { state: 'broken', reason: 'no_answer', afterMs: 8_000 } },
    away,
  ],
  'udp-blocked': [{ webtransport: hangs, udp: silent, peers: ALONE }, online],
  symmetric: [{ udp: udp('symmetric'), peers: ALONE }, online],
  'tunnel-only': [
    { webtransport: hangs, websocket: refused, udp: silent, peers: ALONE },
    { state: 'online', over: 'tunnel' },
  ],
  'clock-wrong': [
    { clock: { state: 'broken', reason: 'zone', figures: { skewMs: -3_601_000, uncertaintyMs: 9, timeZone: 'Europe/Lisbon' } } },
    online,
  ],
  webkit: [
    {
      webtransport: { state: 'unsupported' },
      udp: { state: 'unsupported' },
      turn: { state: 'unsupported' },
      webrtc: { state: 'unsupported' },
      peers: { state: 'works', figures: { direct: 0, relayed: 2, failures: [] } },
      browser: { state: 'works', figures: { webRtc: false, webTransport: false, serviceWorker: false, webLocks: true } },
    },
    online,
  ],
  out: [
    {
      webtransport: { state: 'unknown', because: 'no_session' },
      tunnel: { state: 'unknown', because: 'no_session' },
      udp: { state: 'unknown', because: 'no_session' },
      turn: { state: 'unknown', because: 'no_session' },
      peers: ALONE,
    },
    { state: 'not_online', code: undefined },
  ],
}

export function createFakeCheckUp(scenario: string): CheckUpRunner {
  const [found, link] = FOUND[scenario === 'refused' || scenario === 'guests' ? 'out' : scenario] ?? [{}, online]
  const whole: Checks = { ...SOUND, ...found }
  const report = new Cell<CheckUp>({ state: 'idle', startedAt: 0, tookMs: 0, link, checks: undefined, verdict: undefined })
  let run = 0

  const names = Object.keys(whole) as (keyof Checks)[]
  const upTo = (count: number): Checks =>
    Object.fromEntries(names.map((name, index) => [name, index < count ? whole[name] : { state: 'running' }])) as unknown as Checks
  const show = (state: CheckUp['state'], startedAt: number, checks: Checks): void =>
    report.set({ state, startedAt, tookMs: Date.now() - startedAt, link, checks, verdict: judge(checks, link) })

  return {
    report,
    async start() {
      const own = ++run
      const startedAt = Date.now()
      for (let count = 0; count < names.length; count++) {
        show('running', startedAt, upTo(count))
        await new Promise((resolve) => setTimeout(resolve, 150))
        if (own !== run) return
      }
      show('done', startedAt, whole)
    },
    stop() {
      run++
      const { checks, startedAt, state } = report.get()
      if (state !== 'running' || checks === undefined) return
      const left = Object.entries(checks).map(([name, check]) => [
        name,
        check.state === 'running' ? { state: 'unknown', because: 'stopped' } : check,
      ])
      show('stopped', startedAt, Object.fromEntries(left) as unknown as Checks)
    },
  }
}
