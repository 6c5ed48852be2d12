/**
 * What a role that runs alone answers over HTTP: health, info and metrics, and libp2p over WebSocket. No app, no API, no login.
 */
import type { IncomingMessage } from 'node:http'
import { FootbridgeError } from '@footbridge/shared/errors'
import { Hono } from 'hono'
import type { App } from './app.ts'
import { createErrorHandler } from './errors.ts'
import { createOperationRoutes, type OperationDependencies } from './operation-routes.ts'
import { securityHeaders } from './security-headers.ts'
import { libp2pSockets, type SocketsDependencies } from './sockets.ts'

export function createRoleApp(dependencies: SocketsDependencies & { readonly operation: OperationDependencies }): App {
  const { log, operation } = dependencies
  const app: Hono<{ Bindings: { incoming: IncomingMessage } }> = new Hono()
  app.onError(createErrorHandler(log))
  app.notFound(() => {
    throw new FootbridgeError('not_found', 'there is nothing at this address')
  })
  const sockets = libp2pSockets(dependencies)
  app.get('/', sockets)
  app.get('/libp2p', sockets)
  app.use('*', securityHeaders([]))
  app.route('/', createOperationRoutes(operation))
  return app
}
