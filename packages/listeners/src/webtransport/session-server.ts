/**
 * One native server with one certificate on a loopback port that only the front talks to, and its loop of requests.
 * Not here: the public port (udp-front.ts), when there is a new server (webtransport-listener.ts).
 */
import { createSocket } from 'node:dgram'
import type { AddressInfo } from 'node:net'
import type { Binding, NativeRequest, NativeServer } from './binding.ts'
import type { Certificate } from './certificate.ts'

export interface SessionServer {
  readonly port: number
  readonly certificate: Certificate
  /** No new requests; sessions that are open stay, and the port with them. Idempotent. */
  close(): Promise<void>
}

export interface SessionServerOptions {
  readonly binding: Binding
  readonly certificate: Certificate
  readonly onRequest: (request: NativeRequest) => void
  /** The server accepts nothing more, although nobody closed it. */
  readonly onError: (error: unknown) => void
}

const LOOPBACK = '127.0.0.1'
/** Tries for a free port: another process may take it between asking and having. */
const PORT_TRIES = 5
const CLOSE_DEADLINE_MS = 2_000

/** @throws when the certificate is refused, or no port can be had. */
export async function startSessionServer(options: SessionServerOptions): Promise<SessionServer> {
  const { binding, certificate, onRequest, onError } = options
  const { server, port } = await bind(binding, certificate)
  let isClosing = false
  let closing: Promise<void> | undefined

  const acceptAll = async (): Promise<void> => {
    while (!isClosing) {
      const request = await server.accept()
      if (request === null) return
      if (isClosing) await request.reject(503)
      else onRequest(request)
    }
  }
  const accepting = acceptAll().catch((error: unknown) => {
    if (!isClosing) onError(error)
  })

  const close = async (): Promise<void> => {
    isClosing = true
    // The native `close` would wait, and the whole process with it, for an `accept` that waits for a client. So one comes.
    const knock = binding.NapiClient.disableVerify().connect(`https://${LOOPBACK}:${port}/`)
    knock.catch(() => {})
    const deadline = Promise.withResolvers<'late'>()
    const timer = setTimeout(() => {
      deadline.resolve('late')
    }, CLOSE_DEADLINE_MS)
    const outcome = await Promise.race([accepting, deadline.promise])
    clearTimeout(timer)
    if (outcome !== 'late') server.close()
  }

  return { port, certificate, close: () => (closing ??= close()) }
}

async function bind(binding: Binding, { certificatePem, privateKeyPem }: Certificate): Promise<{ server: NativeServer; port: number }> {
  for (let tries = 1; ; tries++) {
    const port = await findFreePort()
    try {
      return { server: binding.NapiServer.bind(`${LOOPBACK}:${port}`, Buffer.from(certificatePem), Buffer.from(privateKeyPem)), port }
    } catch (error) {
      if (tries === PORT_TRIES) throw error
    }
  }
}

/** The native side does not tell which port it was given. */
async function findFreePort(): Promise<number> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(0, LOOPBACK, resolve)
  })
  const { port } = socket.address() as AddressInfo
  await new Promise<void>((resolve) => {
    socket.close(resolve)
  })
  return port
}
