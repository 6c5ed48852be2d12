/**
 * Serves the admin app on the control socket. Needs the data folder's lock: only its holder may clear away a socket that a dead bridge left.
 * Not here: where the socket is (control-path.ts) and what it answers (routes.ts).
 */
import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'

export interface ControlServer {
  start(): Promise<void>
  /** Idempotent; ends watchers too. */
  stop(): Promise<void>
}

export function createControlServer({ app, path }: { readonly app: Hono; readonly path: string }): ControlServer {
  let server: Server | undefined

  return {
    async start() {
      rmSync(path, { force: true })
      const answer = getRequestListener(app.fetch)
      const starting = createServer((request, response) => void answer(request, response))
      await new Promise<void>((resolve, reject) => {
        starting.once('error', reject)
        starting.listen(path, resolve)
      })
      // The folder and the process's umask keep others out until here; this is for a folder that was opened to a group.
      chmodSync(path, 0o600)
      server = starting
    },

    async stop() {
      const stopping = server
      server = undefined
      if (stopping === undefined) return
      const closed = new Promise<void>((resolve) => stopping.close(() => resolve()))
      stopping.closeAllConnections()
      // Node removes the socket file as it closes.
      await closed
    },
  }
}
