/**
 * The native servers behind the front. The native side does not tell from where a request comes, so each server has one handshake at a time: its next request
 * is from the one client that was sent to it. A server whose handshake is done is free for the next, and keeps its sessions; there are as many servers as there
 * have been handshakes at once, 0.2 ms and 0.15 MB each. When the certificate changes, new servers take over.
 * Not here: the public port and who sends what (udp-front.ts), one native server (session-server.ts).
 */
import type { Binding, NativeRequest } from './binding.ts'
import type { Certificate } from './certificate.ts'
import { startSessionServer, type SessionServer } from './session-server.ts'

export interface ServerPool {
  /** Servers with this certificate from now on; what runs stays. @throws when none can be started. */
  use(certificate: Certificate): Promise<void>
  readonly certificate: Certificate | undefined
  /** A server that nobody else begins a handshake with until it is given back. @returns its port on loopback. @throws when none can be started. */
  take(): number | Promise<number>
  giveBack(port: number): void
  readonly size: number
  /** Idempotent. */
  close(): Promise<void>
}

export interface ServerPoolOptions {
  readonly binding: Binding
  readonly onRequest: (request: NativeRequest, port: number) => void
  /** A server accepts nothing more, although nobody closed it. */
  readonly onError: (error: unknown) => void
}

/** Free servers that are kept for the next rush, 36 MB of them: as many as there are handshakes at once, because ending one costs a handshake too. */
const MAX_FREE = 256

export function createServerPool({ binding, onRequest, onError }: ServerPoolOptions): ServerPool {
  const taken = new Map<number, SessionServer>()
  let free: SessionServer[] = []
  let current: Certificate | undefined
  let isClosed = false
  const ends = new Set<Promise<void>>()

  const start = async (certificate: Certificate): Promise<SessionServer> => {
    const server = await startSessionServer({
      binding,
      certificate,
      onRequest: (request) => {
        onRequest(request, server.port)
      },
      onError,
    })
    return server
  }

  const end = (server: SessionServer): void => {
    const ending = server.close().finally(() => ends.delete(ending))
    ends.add(ending)
  }

  const takeNew = async (): Promise<number> => {
    if (current === undefined) throw new Error('the servers have no certificate yet')
    const server = await start(current)
    if (isClosed) {
      end(server)
      throw new Error('the listener closes')
    }
    taken.set(server.port, server)
    return server.port
  }

  return {
    async use(certificate) {
      const first = await start(certificate)
      if (isClosed) return end(first)
      const old = free
      current = certificate
      free = [first]
      for (const server of old) end(server)
    },
    get certificate() {
      return current
    },
    take() {
      const server = free.pop()
      if (server === undefined) return takeNew()
      taken.set(server.port, server)
      return server.port
    },
    giveBack(port) {
      const server = taken.get(port)
      if (server === undefined) return
      taken.delete(port)
      if (server.certificate === current && free.length < MAX_FREE && !isClosed) free.push(server)
      else end(server)
    },
    get size() {
      return free.length + taken.size
    },
    async close() {
      isClosed = true
      for (const server of [...free, ...taken.values()]) end(server)
      free = []
      taken.clear()
      await Promise.all(ends)
    },
  }
}
