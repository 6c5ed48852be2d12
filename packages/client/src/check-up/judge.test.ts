import { expect, test } from 'vitest'
import type { Checks, Link, NatKind } from './facts.ts'
import { judge, type Verdict } from './judge.ts'

const hop = { state: 'works', figures: { address: '/', connectMs: 30, proveMs: 4, rttMs: 12 } } as const
const refused = { state: 'broken', reason: 'refused', afterMs: 20 } as const
const silent = { state: 'broken', reason: 'silent', afterMs: 5_000 } as const
const hangs = { state: 'broken', reason: 'no_answer', afterMs: 8_000 } as const
const unsupported = { state: 'unsupported' } as const
const noSession = { state: 'unknown', because: 'no_session' } as const
const running = { state: 'running' } as const
const clock = (skewMs: number) => ({ skewMs, uncertaintyMs: 6, timeZone: 'Europe/Lisbon' })
const udp = (nat: NatKind) =>
  ({
    state: 'works',
    figures: { nat, mapped: [{ address: '198.51.100.7', port: 4000 }], asked: 2, answered: 2, ms: 20, isInside: false, ipv6: false },
  }) as const
const inside = (nat: NatKind) => ({ state: 'works', figures: { ...udp(nat).figures, isInside: true } }) as const
const peers = (direct: number) => ({ state: 'works', figures: { direct, relayed: 1, failures: [] } }) as const
const storage = { usedBytes: 1, quotaBytes: 2e9, persistent: true }
const features = { webRtc: true, webTransport: true, serviceWorker: true, webLocks: true }

const OPEN: Checks = {
  bridge: { state: 'works', figures: { name: 'bridge.example', version: '0.1.0', firstMs: 30, rttMs: 12 } },
  webtransport: hop,
  websocket: hop,
  tunnel: hop,
  udp: udp('none'),
  turn: { state: 'not_offered' },
  webrtc: { state: 'works', figures: { ms: 40 } },
  peers: { state: 'unknown', because: 'nobody' },
  clock: { state: 'works', figures: clock(120) },
  storage: { state: 'works', figures: storage },
  browser: { state: 'works', figures: features },
}
const UDP_BLOCKED = { webtransport: hangs, udp: silent } as const
const PROXY = { ...UDP_BLOCKED, websocket: refused } as const
const NOTHING = {
  bridge: { state: 'broken', reason: 'unreachable' },
  webtransport: hangs,
  websocket: refused,
  tunnel: refused,
  udp: silent,
  clock: { state: 'unknown', because: 'no_bridge' },
} as const satisfies Partial<Checks>
const online: Link = { state: 'online', over: 'websocket' }
const tunnelled: Link = { state: 'online', over: 'tunnel' }
const away: Link = { state: 'not_online', code: 'unreachable' }

type Row = readonly [network: string, found: Partial<Checks>, link: Link, verdict: Partial<Verdict>]
test.each<Row>([
  ['an open network', {}, online, { level: 'good', reach: 'fast', direct: 'with_most', advice: [] }],
  ['a cone', { udp: udp('endpoint_independent') }, online, { level: 'good', direct: 'with_most' }],
  ['a symmetric NAT', { udp: udp('symmetric') }, online, { level: 'limited', reach: 'fast', direct: 'with_some' }],
  [
    'a symmetric NAT with TURN',
    { udp: udp('symmetric'), turn: { state: 'works', figures: { ms: 9 } } },
    online,
    { level: 'good', direct: 'turn' },
  ],
  ['UDP blocked', UDP_BLOCKED, online, { level: 'limited', reach: 'fast', direct: 'udp_blocked', advice: [] }],
  [
    'UDP blocked, with TURN over TCP',
    { ...UDP_BLOCKED, turn: { state: 'works', figures: { ms: 9 } } },
    online,
    { level: 'good', direct: 'turn' },
  ],
  ['UDP blocked, and TURN not known yet', { ...UDP_BLOCKED, turn: running }, online, { level: 'pending', direct: 'unknown' }],
  ['only TCP 443', { ...UDP_BLOCKED, tunnel: hop }, online, { level: 'limited', reach: 'fast', direct: 'udp_blocked' }],
  ['a proxy without upgrades', PROXY, tunnelled, { level: 'limited', reach: 'tunnel', direct: 'udp_blocked' }],
  [
    'a proxy without upgrades, before a fast one answers',
    { ...PROXY, webtransport: running },
    tunnelled,
    { level: 'pending', reach: 'pending' },
  ],
  ['a proxy that breaks the tunnel too', { ...PROXY, tunnel: silent }, away, { level: 'bad', reach: 'no_hop', advice: ['other_network'] }],
  ['STUN held back while WebTransport passes', { udp: silent }, online, { level: 'limited', direct: 'unknown' }],
  ['a bridge without STUN', { udp: { state: 'not_offered' } }, online, { level: 'limited', direct: 'unknown' }],
  [
    'a bridge without STUN, and a direct path',
    { udp: { state: 'not_offered' }, peers: peers(1) },
    online,
    { level: 'good', direct: 'proved' },
  ],
  [
    'a bridge in the same network, whose answers tell nothing of the world',
    { udp: inside('unknown') },
    online,
    { level: 'good', direct: 'inside' },
  ],
  ['one STUN answer of two', { udp: udp('unknown') }, online, { direct: 'unknown' }],
  [
    'WebRTC broken in the browser',
    { webrtc: { state: 'broken', reason: 'failed' } },
    online,
    { level: 'limited', direct: 'webrtc_broken' },
  ],
  [
    'WebKit without WebRTC and WebTransport',
    { webtransport: unsupported, udp: unsupported, turn: unsupported, webrtc: unsupported },
    online,
    { level: 'limited', reach: 'fast', direct: 'no_webrtc' },
  ],
  [
    'offline',
    { ...NOTHING, bridge: { state: 'broken', reason: 'offline' } },
    away,
    { level: 'bad', reach: 'offline', direct: 'udp_blocked', advice: ['join_network'] },
  ],
  [
    'a captive portal',
    { ...NOTHING, bridge: { state: 'broken', reason: 'portal' } },
    away,
    { level: 'bad', reach: 'portal', advice: ['open_portal'] },
  ],
  ['a bridge that is gone', NOTHING, away, { level: 'bad', reach: 'no_bridge', advice: ['wait_or_ask', 'other_network'] }],
  [
    'a bridge in trouble',
    { ...NOTHING, bridge: { state: 'broken', reason: 'trouble' } },
    away,
    { level: 'bad', reach: 'trouble', advice: ['wait_or_ask'] },
  ],
  [
    'a bridge that is gone, never logged in',
    { ...NOTHING, webtransport: noSession, websocket: { state: 'unknown', because: 'no_bridge' }, tunnel: noSession },
    { state: 'not_online', code: undefined },
    { reach: 'no_bridge', advice: ['wait_or_ask', 'other_network'] },
  ],
  [
    'a good network, not logged in',
    { webtransport: noSession, tunnel: noSession, udp: noSession, turn: noSession },
    { state: 'not_online', code: 'token_expired' },
    { level: 'bad', reach: 'fast', direct: 'unknown', advice: ['log_in'] },
  ],
  ['a link that lives while the probes fail', { ...NOTHING }, online, { reach: 'fast' }],
  [
    'a page without a secure context',
    { ...NOTHING, browser: { state: 'broken', reason: 'insecure' } },
    away,
    { reach: 'insecure', advice: ['use_https'] },
  ],
  [
    'a wrong clock',
    { clock: { state: 'broken', reason: 'wrong', figures: clock(900_000) } },
    online,
    { level: 'limited', advice: ['set_clock'] },
  ],
  [
    'a wrong time zone',
    { clock: { state: 'broken', reason: 'zone', figures: clock(3_600_000) } },
    online,
    { level: 'limited', advice: ['set_zone'] },
  ],
  ['a full disk', { storage: { state: 'broken', reason: 'full' } }, online, { level: 'limited', advice: ['free_storage'] }],
  ['a private window that keeps nothing', { storage: { state: 'broken', reason: 'missing' } }, online, { advice: ['allow_storage'] }],
  [
    'a run that has just begun',
    { ...NOTHING, bridge: running, webtransport: running, websocket: running, tunnel: running },
    away,
    { level: 'pending' },
  ],
])('%s', (_network, found, link, verdict) => {
  expect(judge({ ...OPEN, ...found }, link)).toMatchObject(verdict)
})
