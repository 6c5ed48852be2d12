/**
 * What an operator may ask of the running bridge, over its control socket. No authentication: reaching the socket is the permission.
 * Not to be mounted on the public port.
 */
import { Hono } from 'hono'
import { stream } from 'hono/streaming'
import { FootbridgeError } from '@footbridge/shared/errors'
import * as v from 'valibot'
import type { Tokens } from '../auth/tokens.ts'
import { MAX_CONTROL_WATCHERS } from '../limits.ts'
import type { Session } from '../peers/session.ts'
import type { LimitChanges, RelayLimitSettings } from '../relay-limits.ts'
import type { Relay } from '../relay/relay.ts'
import type { Diagnosis } from './diagnosis.ts'
import { summarizeStatus } from './status-summary.ts'
import { summarizePeer, summarizeToken, type PeerSummary } from './token-summary.ts'

const limit = v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(Number.MAX_SAFE_INTEGER)))
const tokenLimits = {
  maxDevices: v.exactOptional(limit),
  maxReservations: v.exactOptional(limit),
  maxCircuits: v.exactOptional(limit),
  circuitsPerMinute: v.exactOptional(limit),
  bytesPerDay: v.exactOptional(limit),
  bytesPerSecond: v.exactOptional(limit),
}
const tokenOptionsSchema = v.object({ label: v.string(), expiresAt: limit, ...tokenLimits })
const tokenLimitsSchema = v.strictObject(tokenLimits)
const scopeSchema = v.picklist(['peer', 'address', 'bridge'])

export interface AdminRoutesDependencies {
  readonly tokens: Tokens
  readonly registry: { list(): readonly Session[]; subscribe(listener: () => void): () => void }
  readonly relay: Pick<Relay, 'counters'>
  readonly relayLimits: RelayLimitSettings
  readonly relayAddresses: () => readonly string[]
  readonly sightings: { open(): string; take(id: string): object | undefined }
  readonly diagnose: () => Promise<Diagnosis>
  /** How the bridge stands in the network. */
  readonly network: () => object
  /** Asked at each request, because the port may be the system's choice. */
  readonly describe: () => { readonly url: string; readonly peer: string; readonly version: string }
}

export function createAdminRoutes(dependencies: AdminRoutesDependencies): Hono {
  const { tokens, registry, relay, relayLimits, relayAddresses, sightings, diagnose, describe, network } = dependencies
  const app = new Hono()
  let watchers = 0
  const listPeers = (): PeerSummary[] => registry.list().map((session) => summarizePeer(session, relayAddresses()))

  app.get('/bridge', (context) => context.json(describe()))

  app.get('/tokens', async (context) => context.json((await tokens.list()).map(summarizeToken)))

  app.post('/tokens', async (context) => {
    const options = v.safeParse(tokenOptionsSchema, await context.req.json())
    if (!options.success) throw new FootbridgeError('bad_request', v.summarize(options.issues))
    const { token, record } = await tokens.create(options.output)
    return context.json({ token, id: record.id }, 201)
  })

  app.get('/tokens/:id', async (context) => {
    const details = await tokens.show(context.req.param('id'))
    if (details === undefined) throw new FootbridgeError('not_found', 'no such token')
    return context.json(summarizeToken(details))
  })

  app.post('/tokens/:id/revoke', async (context) => {
    const record = await tokens.revoke(context.req.param('id'))
    if (record === undefined) throw new FootbridgeError('not_found', 'no such token')
    return context.body(null, 204)
  })

  app.post('/tokens/:id/limits', async (context) => {
    const changes = v.safeParse(tokenLimitsSchema, await context.req.json())
    if (!changes.success) throw new FootbridgeError('bad_request', v.summarize(changes.issues))
    const id = context.req.param('id')
    const details = (await tokens.limit(id, changes.output)) && (await tokens.show(id))
    if (details === undefined) throw new FootbridgeError('not_found', 'no such token')
    return context.json(summarizeToken(details))
  })

  app.get('/limits', (context) => context.json(relayLimits.current()))

  app.post('/limits/:scope', async (context) => {
    const scope = v.safeParse(scopeSchema, context.req.param('scope'))
    if (!scope.success) throw new FootbridgeError('not_found', 'limits are those of a peer, of an address or of the bridge')
    return context.json(await relayLimits.change(scope.output, (await context.req.json()) as LimitChanges))
  })

  app.get('/status', (context) => context.json(summarizeStatus({ ...describe(), sessions: registry.list(), counters: relay.counters() })))

  app.get('/network', (context) => context.json(network()))

  app.get('/diagnosis', async (context) => context.json(await diagnose()))

  app.post('/sightings', (context) => context.json({ id: sightings.open() }, 201))

  app.get('/sightings/:id', (context) => context.json({ sighting: sightings.take(context.req.param('id')) ?? null }))

  app.post('/doctor-tokens', async (context) => {
    const { token, record } = await tokens.createForDoctor()
    return context.json({ token, id: record.id }, 201)
  })

  app.get('/peers', (context) => context.json(listPeers()))

  /** One line of JSON with all sessions now, and another after every change; changes in one turn of the loop make one line. */
  app.get('/peers/watch', (context) => {
    if (watchers >= MAX_CONTROL_WATCHERS) throw new FootbridgeError('bridge_full', 'too many are watching')
    watchers++
    return stream(context, async (body) => {
      let wake: () => void = () => {}
      const unsubscribe = registry.subscribe(() => wake())
      body.onAbort(() => wake())
      try {
        while (!body.aborted) {
          const changed = new Promise<void>((resolve) => {
            wake = resolve
          })
          await body.write(`${JSON.stringify(listPeers())}\n`)
          await changed
        }
      } finally {
        unsubscribe()
        watchers--
      }
    })
  })

  app.onError((error, context) => {
    const isOurs = error instanceof FootbridgeError
    return context.json({ code: isOurs ? error.code : 'internal', title: error.message }, isOurs ? 400 : 500)
  })
  return app
}
