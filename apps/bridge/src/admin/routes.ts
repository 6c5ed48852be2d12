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
import { summarizePeer, summarizeToken, type PeerSummary } from './token-summary.ts'

const limit = v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(Number.MAX_SAFE_INTEGER)))
const tokenOptionsSchema = v.object({
  label: v.string(),
  expiresAt: limit,
  maxDevices: limit,
  bytesPerDay: limit,
  bytesPerSecond: limit,
})

export interface AdminRoutesDependencies {
  readonly tokens: Tokens
  readonly registry: { list(): readonly Session[]; subscribe(listener: () => void): () => void }
  readonly relayAddresses: () => readonly string[]
  /** Asked at each request, because the port may be the system's choice. */
  readonly describe: () => { readonly url: string; readonly peer: string; readonly version: string }
}

export function createAdminRoutes({ tokens, registry, relayAddresses, describe }: AdminRoutesDependencies): Hono {
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
