/**
 * For tests: an HTTP proxy in front of a bridge that does what bad proxies do, request by request. It knows nothing of tunnels.
 */
import { createServer, request as ask, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** What befalls one request. Nothing given: it goes through. */
export interface Mischief {
  /** It never arrives. */
  readonly losesRequest?: boolean
  /** It arrives, and its answer does not. */
  readonly losesAnswer?: boolean
  /** It arrives twice; the first answer is thrown away. */
  readonly doubles?: boolean
  /** Its answer is kept until it is whole. */
  readonly holdsAnswer?: boolean
  /** Its answer ends after so many bytes, as if it had been whole. */
  readonly cutsAnswerAt?: number
  /** Another answer takes the place of the bridge's. */
  readonly madeUpAnswer?: string
  readonly delayMs?: number
}

export interface HostileProxy {
  readonly origin: string
  readonly port: number
  /** Requests that came, by `METHOD last-part-of-the-path`. */
  readonly counts: Map<string, number>
  /** Requests of this kind that are open now. */
  readonly open: () => number
  readonly maxOpen: () => number
  /** From now on. */
  behave(how: (request: IncomingMessage, index: number) => Mischief): void
  /** Ends every connection at once, as a router that restarts. */
  cut(): void
  stop(): Promise<void>
}

export async function startHostileProxy(targetPort: number): Promise<HostileProxy> {
  let how: (request: IncomingMessage, index: number) => Mischief = () => ({})
  let index = 0
  let open = 0
  let maxOpen = 0
  const counts = new Map<string, number>()
  const sockets = new Set<Socket>()

  const forward = (request: IncomingMessage, body: Buffer): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const { method, url: path, headers } = request
      const outgoing = ask(
        { port: targetPort, host: '127.0.0.1', method, path, headers: { ...headers, 'content-length': body.length } },
        resolve,
      )
      const giveUp = (): unknown => outgoing.destroy()
      outgoing.once('error', reject)
      request.socket.once('close', giveUp)
      outgoing.once('close', () => request.socket.off('close', giveUp))
      outgoing.end(body)
    })

  const pass = (answer: IncomingMessage, response: ServerResponse, { cutsAnswerAt }: Mischief): void => {
    let sent = 0
    response.writeHead(answer.statusCode ?? 502, headersOf(answer))
    response.flushHeaders()
    answer.on('data', (chunk: Buffer) => {
      const rest = cutsAnswerAt === undefined ? chunk : chunk.subarray(0, Math.max(0, cutsAnswerAt - sent))
      sent += chunk.length
      response.write(rest)
      if (cutsAnswerAt !== undefined && sent >= cutsAnswerAt) {
        response.end()
        answer.destroy()
      }
    })
    answer.on('end', () => response.end())
    answer.on('error', () => response.destroy())
  }

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const name = `${request.method} ${request.url?.split('?')[0]?.split('/').at(-1)}`
    counts.set(name, (counts.get(name) ?? 0) + 1)
    const mischief = how(request, index++)
    const body = await read(request)
    if (mischief.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, mischief.delayMs))
    if (mischief.losesRequest === true) return void response.destroy()
    if (mischief.madeUpAnswer !== undefined) return void response.writeHead(200, { 'content-type': 'text/html' }).end(mischief.madeUpAnswer)
    if (mischief.doubles === true) await read(await forward(request, body))
    const answer = await forward(request, body)
    if (mischief.losesAnswer === true || mischief.holdsAnswer === true) {
      const whole = await read(answer)
      if (mischief.losesAnswer === true) response.destroy()
      else response.writeHead(answer.statusCode ?? 502, headersOf(answer)).end(whole)
      return
    }
    pass(answer, response, mischief)
  }

  const server = createServer((request, response) => {
    maxOpen = Math.max(maxOpen, ++open)
    response.once('close', () => open--)
    serve(request, response).catch(() => response.destroy())
  })
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    counts,
    open: () => open,
    maxOpen: () => maxOpen,
    behave(next) {
      how = next
      index = 0
    },
    cut() {
      for (const socket of sockets) socket.destroy()
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

async function read(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

function headersOf({ headers }: IncomingMessage): Record<string, string> {
  const own = new Set(['transfer-encoding', 'content-length', 'connection', 'keep-alive'])
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (own.has(name) || value === undefined ? [] : [[name, String(value)]])),
  )
}
