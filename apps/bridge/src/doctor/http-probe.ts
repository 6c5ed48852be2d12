/**
 * One HTTP request as a check needs it: deadlines, any answer is an answer, and a certificate that does not hold is no obstacle, because there is a check of its own
 * for that. Not here: what is asked (first-hops.ts, proxy.ts).
 */
import { request as requestPlain, type IncomingMessage } from 'node:http'
import { request as requestSecure } from 'node:https'

export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

export interface HttpRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 6_000
/** More of an answer is not read. */
const MAX_BODY_BYTES = 256 * 1024

/** @throws Node's error when there is no answer in time. */
export async function ask(url: string, request: HttpRequest = {}): Promise<HttpAnswer> {
  const { response, end } = await open(url, request)
  try {
    const chunks: Buffer[] = []
    let size = 0
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      size += chunk.length
      if (size > MAX_BODY_BYTES) break
    }
    return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }
  } finally {
    end()
  }
}

/** How long the first byte of an answer's body takes from its beginning; undefined when none came in time. @throws when there is no answer. */
export async function timeToFirstByte(url: string, request: HttpRequest): Promise<number | undefined> {
  const asked = performance.now()
  const { response, end } = await open(url, request).catch((failure: unknown) => {
    // A proxy that holds everything back sends no head either.
    if (failure instanceof Error && 'code' in failure && failure.code === 'ETIMEDOUT') return { response: undefined, end: () => {} }
    throw failure
  })
  if (response === undefined) return undefined
  try {
    if (response.statusCode !== 200) throw new Error(`it was answered ${response.statusCode}`)
    const first = await new Promise<boolean>((resolve) => {
      const left = Math.max(1, (request.timeoutMs ?? TIMEOUT_MS) - (performance.now() - asked))
      const timer = setTimeout(() => resolve(false), left)
      const settle = (came: boolean) => () => {
        clearTimeout(timer)
        resolve(came)
      }
      response.once('data', settle(true)).once('end', settle(false)).once('error', settle(false))
    })
    return first ? performance.now() - asked : undefined
  } finally {
    end()
  }
}

/** Asks for a WebSocket. @returns 101, or the status that came instead. @throws when nothing came. */
export function askForUpgrade(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': Buffer.from('footbridge doctor').subarray(0, 16).toString('base64'),
    }
    const sending = send(url, { headers }, reject)
    sending.once('upgrade', (_response, socket) => {
      socket.destroy()
      resolve(101)
    })
    sending.once('response', (response) => {
      resolve(response.statusCode ?? 0)
      sending.destroy()
    })
    sending.end()
  })
}

function open(url: string, request: HttpRequest): Promise<{ response: IncomingMessage; end: () => void }> {
  return new Promise((resolve, reject) => {
    const sending = send(url, request, reject)
    sending.once('response', (response) => {
      resolve({ response, end: () => sending.destroy() })
    })
    sending.end(request.body)
  })
}

function send(url: string, { method = 'GET', headers = {}, timeoutMs = TIMEOUT_MS }: HttpRequest, fail: (error: unknown) => void) {
  const request = url.startsWith('https:') ? requestSecure : requestPlain
  const sending = request(url, { method, headers, agent: false, rejectUnauthorized: false })
  const timer = setTimeout(() => sending.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })), timeoutMs)
  sending.once('close', () => clearTimeout(timer))
  sending.on('error', fail)
  return sending
}
