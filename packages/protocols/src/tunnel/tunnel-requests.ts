/**
 * The tunnel's requests over `fetch`: each with the access token, a deadline and no cache. Tells an answer of the bridge from what a proxy made up.
 * Not here: when each is sent (uplink.ts, downlink.ts).
 */
import { FootbridgeError, isFootbridgeError, problemSchema, type ErrorCode } from '@footbridge/shared/errors'
import { tunnelAnswerSchema, type TunnelAnswer } from '@footbridge/shared/wire/tunnel-api'
import { decodeTunnelFrames, TUNNEL_CONTENT_TYPE, type FlowFrame, type TunnelFrame } from '@footbridge/shared/wire/tunnel-frame'
import * as v from 'valibot'
import { withDeadline } from '../deadline.ts'

export interface TunnelRequestsParts {
  /** Without a trailing slash. */
  readonly baseUrl: string
  readonly fetch: typeof fetch
  /** The session's newest; undefined when there is none. */
  readonly accessToken: () => string | undefined
}

export interface TunnelRequests {
  /** Bytes that may be sent at once. */
  readonly limit: number
  readonly pollMs: number
  readonly heartbeatMs: number
  /** How long the opening took: one or more round trips. */
  readonly openMs: number
  up(body: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<TunnelFrame[]>
  poll(body: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<TunnelFrame[]>
  /** The answer's body, as it comes; `signal` ends it too. The caller watches the time. */
  down(flow: FlowFrame, signal: AbortSignal): Promise<ReadableStream<Uint8Array<ArrayBuffer>>>
}

/** A body of 256 KiB on a line of 150 kbit/s. */
const UP_TIMEOUT_MS = 15_000
/** Above the poll's own time: a slow line. */
const POLL_EXTRA_MS = 8_000
const OPEN_TIMEOUT_MS = 8_000
const MAX_ATTEMPTS = 3

/** Problems of the bridge after which another try is of no use. */
const FINAL: ReadonlySet<ErrorCode> = new Set(['unauthorized', 'not_found', 'bad_request', 'protocol_violation'])

/** True for what another try cannot mend. */
export function isFinal(error: unknown): error is FootbridgeError {
  return isFootbridgeError(error) && FINAL.has(error.code)
}

/** Opens a tunnel. @throws FootbridgeError `unauthorized`, `bridge_full`, `unreachable`, `timeout`, `aborted`, … */
export async function openTunnel(parts: TunnelRequestsParts, signal: AbortSignal, now: () => number): Promise<TunnelRequests> {
  const { baseUrl } = parts
  let startedAt = now()
  const open = (): Promise<TunnelAnswer> => {
    startedAt = now()
    return ask(
      parts,
      baseUrl,
      { method: 'POST' },
      { what: 'the opening of the tunnel', timeoutMs: OPEN_TIMEOUT_MS, signal },
      async (response) => {
        return v.parse(tunnelAnswerSchema, await response.json())
      },
    )
  }
  // A lost answer leaves a tunnel behind that the bridge soon drops.
  const { id, limit, heartbeatMs, pollMs } = await again(open)
  const url = `${baseUrl}/${id}`
  const openMs = now() - startedAt
  let count = 0

  const post = (path: string, body: Uint8Array<ArrayBuffer>, timeoutMs: number, inner: AbortSignal): Promise<TunnelFrame[]> =>
    ask(
      parts,
      `${url}/${path}`,
      { method: 'POST', body, headers: { 'content-type': TUNNEL_CONTENT_TYPE } },
      { what: 'an answer of the tunnel', timeoutMs, signal: inner },
      async (response) => decodeTunnelFrames(new Uint8Array(await response.arrayBuffer())),
    )

  return {
    limit,
    pollMs,
    heartbeatMs,
    openMs,
    up: (body, inner) => post('up', body, UP_TIMEOUT_MS, inner),
    poll: (body, inner) => post('poll', body, pollMs + POLL_EXTRA_MS, inner),
    async down({ received, limit }, inner) {
      const query = new URLSearchParams({ received: String(received), limit: String(limit), n: String(count++) })
      const response = await request(parts, `${url}/down?${query.toString()}`, { method: 'GET' }, inner)
      if (response.body === null) throw new FootbridgeError('unreachable', 'an answer without a body')
      return response.body
    },
  }
}

async function again<Value>(work: () => Promise<Value>): Promise<Value> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt === MAX_ATTEMPTS || !isFootbridgeError(error) || !['unreachable', 'timeout'].includes(error.code)) throw error
    }
  }
}

async function ask<Value>(
  parts: TunnelRequestsParts,
  url: string,
  init: RequestInit,
  deadline: { what: string; timeoutMs: number; signal: AbortSignal },
  read: (response: Response) => Promise<Value>,
): Promise<Value> {
  return withDeadline(deadline, async (signal) => {
    const response = await request(parts, url, init, signal)
    try {
      return await read(response)
    } catch (cause) {
      // What does not decode was not written by the bridge.
      throw new FootbridgeError('unreachable', 'no whole answer of the bridge', { cause })
    }
  })
}

/** @throws FootbridgeError the bridge's own problem, or `unreachable`. */
async function request(
  { fetch, accessToken }: TunnelRequestsParts,
  url: string,
  init: RequestInit,
  signal: AbortSignal,
): Promise<Response> {
  const token = accessToken()
  if (token === undefined) throw new FootbridgeError('unauthorized', 'there is no session')
  let response: Response
  let problem: unknown
  try {
    const headers = { ...(init.headers as Record<string, string> | undefined), authorization: `Bearer ${token}` }
    response = await fetch(url, { ...init, headers, cache: 'no-store', credentials: 'omit', redirect: 'error', signal })
    if (response.ok) return response
    problem = JSON.parse(await response.text())
  } catch (cause) {
    throw new FootbridgeError('unreachable', 'no answer of the bridge', { cause })
  }
  const known = v.safeParse(problemSchema, problem)
  if (!known.success) throw new FootbridgeError('unreachable', `no answer of the bridge (HTTP ${response.status})`)
  const { code, title, retryAfterSeconds } = known.output
  throw new FootbridgeError(code, title, { details: { retryAfterSeconds } })
}
