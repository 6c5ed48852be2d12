/**
 * Everything that the bridge answers over HTTP, as one Hono app: sockets, API, health, and the web app's files for the rest. Opens no port: tests call
 * `app.request`. Not here: the server (server.ts).
 */
import type { IncomingMessage } from 'node:http'
import { FootbridgeError } from '@footbridge/shared/errors'
import { Hono } from 'hono'
import { cors } from 'hono/cors'
import { routePath } from 'hono/route'
import type { Log } from '../telemetry/log.ts'
import { createErrorHandler } from './errors.ts'
import type { OperationRoutes } from './operation-routes.ts'
import { libp2pSockets, type SocketsDependencies } from './sockets.ts'
import { securityHeaders } from './security-headers.ts'
import type { StaticFiles } from './static-files.ts'

export interface AppDependencies extends SocketsDependencies {
  /** Mounted at /api/v1, in this order. */
  readonly api: readonly Hono[]
  /** Health, info and metrics, at the root. */
  readonly operation: OperationRoutes
  /** Told of every answer: its route as it is written here, never the path that was asked for. */
  readonly onAnswered?: (route: string, method: string, status: number) => void
  readonly staticFiles: StaticFiles
  readonly log: Log
}

export type App = Hono<{ Bindings: { incoming: IncomingMessage } }>

export function createApp(dependencies: AppDependencies): App {
  const { api, operation, onAnswered, staticFiles, log } = dependencies
  const app: App = new Hono()
  app.onError(createErrorHandler(log))
  app.notFound(() => {
    throw new FootbridgeError('not_found', 'there is nothing at this address')
  })

  const sockets = libp2pSockets(dependencies)
  app.get('/', sockets)
  app.get('/libp2p', sockets)

  app.use('*', securityHeaders(staticFiles.inlineScriptHashes))
  if (onAnswered !== undefined)
    app.use('*', async (context, next) => {
      await next()
      // The route at which this came to rest; asked before, it would be this one.
      onAnswered(routePath(context), context.req.method, context.res.status)
    })
  app.route('/', operation)

  // Any origin: there are no cookies, so another site can do nothing here that a program could not. Browsers ask once a day.
  app.use(
    '/api/v1/*',
    cors({
      origin: '*',
      allowMethods: ['GET', 'POST', 'DELETE'],
      allowHeaders: ['Authorization', 'Content-Type'],
      exposeHeaders: ['Retry-After'],
      maxAge: 86_400,
    }),
  )
  for (const routes of api) app.route('/api/v1', routes)
  app.all('/api/*', () => {
    throw new FootbridgeError('not_found', 'there is no such route')
  })

  app.get('*', async (context) => {
    // A page is no answer to whoever wants a socket.
    const page = context.req.header('Upgrade') === undefined ? await staticFiles.respond(context) : undefined
    return page ?? context.notFound()
  })
  return app
}
