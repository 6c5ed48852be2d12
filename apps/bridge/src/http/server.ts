/**
 * The HTTP or HTTPS server around the app: listening, its limits, and a stop that lets running requests finish.
 */
import { createServer as createPlainServer, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer, Server as TlsServer } from 'node:https'
import { createAdaptorServer } from '@hono/node-server'
import type { App } from './app.ts'
import type { CertificatePair } from './certificate.ts'
import type { createWebSocketServer } from './sockets.ts'

export interface HttpServer {
  /** @returns the port that was given. @throws Node's own error, with its code (EADDRINUSE, EACCES, …). */
  listen(): Promise<number>
  /** For connections from now on. Nothing to do without TLS. */
  useCertificate(pair: CertificatePair): void
  /** Refuses new requests, lets running ones finish until the deadline. Idempotent. */
  stop(): Promise<void>
}

export interface HttpServerOptions {
  readonly app: App
  readonly webSocketServer: ReturnType<typeof createWebSocketServer>
  readonly host: string
  readonly port: number
  readonly tls: CertificatePair | undefined
}

const LIMITS: ServerOptions = {
  /** A request's head must be there in this time: slow-loris. */
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  /** Longer than the 60 s of common proxies, which otherwise send into a socket that is just closing. */
  keepAliveTimeout: 65_000,
  maxHeaderSize: 16 * 1024,
}
const MAX_SOCKETS = 16_000
/** Running requests have this long at a stop. */
const STOP_DEADLINE_MS = 2_000

export function createServer(options: HttpServerOptions): HttpServer {
  const { app, webSocketServer, host, port, tls } = options
  type AdaptorOptions = Parameters<typeof createAdaptorServer>[0]
  const fetch = app.fetch as AdaptorOptions['fetch']
  // The adaptor describes ws by a type of its own that the real one does not quite fit.
  const websocket = { server: webSocketServer } as unknown as NonNullable<AdaptorOptions['websocket']>
  const server = (
    tls === undefined
      ? createAdaptorServer({ fetch, websocket, createServer: createPlainServer, serverOptions: LIMITS })
      : createAdaptorServer({ fetch, websocket, createServer: createTlsServer, serverOptions: { ...LIMITS, ...tls } })
  ) as Server
  server.maxConnections = MAX_SOCKETS
  let stopping: Promise<void> | undefined

  return {
    listen: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.off('error', reject)
          const address = server.address()
          resolve(typeof address === 'object' && address !== null ? address.port : port)
        })
      }),
    useCertificate(pair) {
      if (server instanceof TlsServer) server.setSecureContext(pair)
    },
    stop: () => (stopping ??= stop(server)),
  }
}

/** Node's close() waits for keep-alive sockets that fall idle later; so ask again until they have. */
async function stop(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = new Promise<void>((resolve) => {
    server.close(() => {
      resolve()
    })
  })
  server.closeIdleConnections()
  const idle = setInterval(() => {
    server.closeIdleConnections()
  }, 100)
  const deadline = setTimeout(() => {
    server.closeAllConnections()
  }, STOP_DEADLINE_MS)
  await closed
  clearInterval(idle)
  clearTimeout(deadline)
}
