/**
 * What an operator's tools ask of a bridge, or of one of its roles alone: whether it is well, what it is, and its numbers.
 *
 * `/healthz` and `/health` are for supervisors and load balancers, `/info` says what Identify tells every peer anyway. Who may read `/metrics` is a setting
 * (metrics-access.ts); for others it is not there.
 */
import type { IncomingMessage } from 'node:http'
import { FootbridgeError } from '@footbridge/shared/errors'
import { Hono } from 'hono'
import type { Metrics } from '../telemetry/metrics.ts'
import type { ClientAddress } from './client-address.ts'
import type { MetricsAccess } from './metrics-access.ts'

/** `off`: not there, by a setting or because this machine cannot; the rest does not need it. */
export interface HealthPart {
  readonly status: 'ok' | 'off' | 'failed'
  /** For the operator; nothing that a stranger should not read. */
  readonly detail?: string
}

export interface NodeInfo {
  readonly peer: string
  readonly version: string
  readonly agent: string
  readonly addresses: readonly string[]
  readonly protocols: readonly string[]
}

export type OperationRoutes = Hono<{ Bindings: { incoming: IncomingMessage } }>

export interface OperationDependencies {
  /** False while starting and stopping. */
  readonly isReady: () => boolean
  /** Asked at each request, by name. A part that throws has failed. */
  readonly health: Readonly<Record<string, () => HealthPart | Promise<HealthPart>>>
  readonly info: () => NodeInfo
  readonly metrics: Pick<Metrics, 'read' | 'contentType'>
  readonly mayReadMetrics: MetricsAccess
  readonly addressOf: (request: IncomingMessage) => ClientAddress
}

const NO_STORE = { 'Cache-Control': 'no-store' }

export function createOperationRoutes(dependencies: OperationDependencies): OperationRoutes {
  const { isReady, health, info, metrics, mayReadMetrics, addressOf } = dependencies
  const app: OperationRoutes = new Hono()

  app.get('/healthz', (context) => context.text(isReady() ? 'ok' : 'unavailable', isReady() ? 200 : 503, NO_STORE))

  app.get('/health', async (context) => {
    const parts: Record<string, HealthPart> = {}
    for (const [name, look] of Object.entries(health)) parts[name] = await lookAt(look)
    const isWell = isReady() && Object.values(parts).every(({ status }) => status !== 'failed')
    return context.json({ status: isWell ? 'ok' : isReady() ? 'failed' : 'unavailable', parts }, isWell ? 200 : 503, NO_STORE)
  })

  app.get('/info', (context) => context.json(info(), 200, NO_STORE))

  app.get('/metrics', async (context) => {
    const { incoming } = context.env
    if (!mayReadMetrics(incoming, addressOf(incoming))) throw new FootbridgeError('not_found', 'there is nothing at this address for you')
    return context.body(await metrics.read(), 200, { ...NO_STORE, 'Content-Type': metrics.contentType })
  })

  return app
}

async function lookAt(look: () => HealthPart | Promise<HealthPart>): Promise<HealthPart> {
  try {
    return await look()
  } catch {
    return { status: 'failed' }
  }
}
