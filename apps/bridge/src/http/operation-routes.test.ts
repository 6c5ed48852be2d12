/** The routes without a port: `app.request` with a socket made up. */
import type { IncomingMessage } from 'node:http'
import { expect, it } from 'vitest'
import { Hono } from 'hono'
import { createLog } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { one } from '../telemetry/relay-metrics.ts'
import { createClientAddress } from './client-address.ts'
import { createErrorHandler } from './errors.ts'
import { createMetricsAccess } from './metrics-access.ts'
import { createOperationRoutes, type OperationDependencies } from './operation-routes.ts'

const INFO = {
  peer: '12D3KooWbridge',
  version: '1.2.3',
  agent: 'footbridge/1.2.3',
  addresses: ['/ip4/192.0.2.1/tcp/1/p2p/12D3KooWbridge'],
  protocols: ['/ipfs/id/1.0.0'],
}

function createTestRoutes(given: Partial<OperationDependencies> = {}): (path: string, from?: string) => Promise<Response> {
  const metrics = createMetrics({ dataDir: '.', clock: Date.now })
  metrics.add([one('footbridge_answer', 'gauge', 'Of everything', () => 42)])
  const app = new Hono()
  app.onError(createErrorHandler(createLog({ level: 'silent' })))
  app.route(
    '/',
    createOperationRoutes({
      isReady: () => true,
      health: {},
      info: () => INFO,
      metrics,
      mayReadMetrics: createMetricsAccess(['127.0.0.1']),
      addressOf: createClientAddress([]),
      ...given,
    }) as unknown as Hono,
  )
  return async (path, from = '127.0.0.1') => {
    const incoming = { socket: { remoteAddress: from, remotePort: 1 }, headers: { host: 'localhost' } } as unknown as IncomingMessage
    return app.request(path, {}, { incoming })
  }
}

it('/healthz is ok in plain text when it is ready and 503 when not', async () => {
  let ready = true
  const ask = createTestRoutes({ isReady: () => ready })
  const well = await ask('/healthz')
  expect([well.status, await well.text(), well.headers.get('Content-Type'), well.headers.get('Cache-Control')]).toEqual([
    200,
    'ok',
    'text/plain; charset=UTF-8',
    'no-store',
  ])
  ready = false
  expect((await ask('/healthz')).status).toBe(503)
})

it('/health names its parts, and one that has failed or throws makes the whole fail', async () => {
  const fine = await createTestRoutes({
    health: { store: () => ({ status: 'ok' }), stun: async () => ({ status: 'off', detail: 'switched off' }) },
  })('/health')
  expect([fine.status, await fine.json()]).toEqual([
    200,
    { status: 'ok', parts: { store: { status: 'ok' }, stun: { status: 'off', detail: 'switched off' } } },
  ])
  const ill = await createTestRoutes({
    health: {
      store: () => {
        throw new Error('/var/lib/footbridge/footbridge.db: disk I/O error')
      },
    },
  })('/health')
  expect([ill.status, await ill.json()]).toEqual([503, { status: 'failed', parts: { store: { status: 'failed' } } }])
  const stopping = await createTestRoutes({ isReady: () => false })('/health')
  expect([stopping.status, await stopping.json()]).toEqual([503, { status: 'unavailable', parts: {} }])
})

it('/info says what Identify says', async () => {
  expect(await (await createTestRoutes()('/info')).json()).toEqual(INFO)
})

it('/metrics is Prometheus text for its readers, and for others not there', async () => {
  const ask = createTestRoutes()
  const response = await ask('/metrics')
  expect(response.headers.get('Content-Type')).toMatch(/^text\/plain; version=0\.0\.4/)
  expect(await response.text()).toBe('# HELP footbridge_answer Of everything\n# TYPE footbridge_answer gauge\nfootbridge_answer 42\n')
  const refused = await ask('/metrics', '203.0.113.9')
  expect([refused.status, await refused.json()]).toMatchObject([404, { code: 'not_found' }])
})
