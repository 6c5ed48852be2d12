import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { probeBridge, type BridgeFindings } from './probe-bridge.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.closeAllConnections()
})

const MINUTE = 60_000
const answer = { peer: '12D3KooW', name: 'bridge.example', version: '0.1.0', guests: false }

async function probe(
  handle: RequestListener,
  options: { aheadMs?: number; isOffline?: boolean; signal?: AbortSignal } = {},
): Promise<BridgeFindings> {
  const server = createServer(handle)
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return probeBridge({
    bridgeUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fetch,
    now: () => Date.now() + (options.aheadMs ?? 0),
    steady: () => performance.now(),
    isOffline: () => options.isOffline ?? false,
    timeZone: () => 'Europe/Lisbon',
    signal: options.signal ?? AbortSignal.timeout(10_000),
  })
}
const bridge: RequestListener = (_request, response) => void response.end(JSON.stringify({ ...answer, serverTime: Date.now() }))

test('a bridge that answers is named, with its times, and the clock is right', async () => {
  const found = await probe(bridge)
  expect(found).toMatchObject({
    firstHops: [expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/ws\/p2p\/12D3KooW$/)],
    bridge: { state: 'works', figures: { name: 'bridge.example' } },
    clock: { state: 'works' },
  })
})

test.each([
  ['seven minutes fast', 7 * MINUTE, 'wrong'],
  ['a day and seven minutes slow', -(24 * 60 + 7) * MINUTE, 'wrong'],
  ['an hour and one minute fast', 61 * MINUTE, 'zone'],
  ['five and a half hours slow', -330 * MINUTE, 'zone'],
  ['a year slow', -365 * 24 * 60 * MINUTE, 'wrong'],
])('a clock that is %s is told', async (_how, aheadMs, reason) => {
  const { clock } = await probe(bridge, { aheadMs })
  expect(clock).toMatchObject({ state: 'broken', reason })
  if (clock.state !== 'broken' || clock.figures === undefined) throw new Error('no figures')
  expect(Math.abs(clock.figures.skewMs + aheadMs)).toBeLessThanOrEqual(clock.figures.uncertaintyMs + 5)
})

test('a slow answer is no wrong clock: what is not known is not held against it', async () => {
  const startedAt = Date.now()
  const { clock } = await probeBridge({
    bridgeUrl: 'https://bridge.example',
    fetch: async () => new Response(JSON.stringify({ ...answer, serverTime: startedAt })),
    now: () => startedAt,
    // Each look at it is six minutes later.
    steady: (
      (at = 0) =>
      () =>
        (at += 6 * MINUTE)
    )(),
    isOffline: () => false,
    timeZone: () => 'UTC',
    signal: AbortSignal.timeout(10_000),
  })
  expect(clock).toMatchObject({ state: 'works', figures: { skewMs: -3 * MINUTE, uncertaintyMs: 3 * MINUTE } })
})

test.each<readonly [string, RequestListener, string]>([
  ['a page of the network', (_request, response) => void response.end('<html>Welcome to the hotel</html>'), 'portal'],
  ['a redirect to it', (_request, response) => void response.writeHead(302, { location: 'http://192.0.2.1/login' }).end(), 'portal'],
  ['a proxy whose bridge is away', (_request, response) => void response.writeHead(502).end('Bad gateway'), 'trouble'],
  [
    'a bridge that refuses',
    (_request, response) =>
      void response.writeHead(429).end(JSON.stringify({ type: 'about:blank', title: '', status: 429, code: 'rate_limited' })),
    'trouble',
  ],
  ['a closed connection', (request) => void request.socket.destroy(), 'unreachable'],
])('%s is told from a bridge', async (_what, handle, reason) => {
  const found = await probe(handle)
  expect(found).toMatchObject({ bridge: { state: 'broken', reason }, clock: { state: 'unknown' }, firstHops: undefined })
})

test('silence is told from a refusal, and a device without a network from both', async () => {
  const stopping = new AbortController()
  const silent = probe(() => stopping.abort(), { signal: stopping.signal })
  expect((await silent).bridge).toMatchObject({ state: 'broken', reason: 'no_answer' })
  const offline = await probe((request) => void request.socket.destroy(), { isOffline: true })
  expect(offline.bridge).toMatchObject({ state: 'broken', reason: 'offline' })
})
