/**
 * How a refusal looks over HTTP: the one place where an error code becomes a status, with an RFC 9457 problem as its body.
 * What is no FootbridgeError is a fault of ours: it is logged, and the caller learns no more than `internal`.
 */
import { type ErrorCode, FootbridgeError, isFootbridgeError, type Problem } from '@footbridge/shared/errors'
import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import type { Log } from '../telemetry/log.ts'

/** Codes that never leave by HTTP stand for faults when they do. */
const STATUS: Partial<Record<ErrorCode, 400 | 401 | 403 | 404 | 409 | 413 | 429 | 503>> = {
  bad_request: 400,
  signature_invalid: 401,
  clock_skew: 400,
  replayed: 409,
  too_large: 413,
  not_found: 404,
  token_unknown: 401,
  token_expired: 403,
  token_revoked: 403,
  token_devices_full: 403,
  device_unknown: 401,
  guests_off: 403,
  guests_full: 503,
  unauthorized: 401,
  rate_limited: 429,
  bridge_full: 503,
  unavailable: 503,
}

export function createErrorHandler(log: Log): (error: Error, context: Context) => Response {
  return (error, context) => {
    if (isFootbridgeError(error) && STATUS[error.code] !== undefined) return problemResponse(error)
    if (error instanceof HTTPException && error.status < 500) return problemResponse(new FootbridgeError('bad_request', error.message))
    log.error({ err: error, method: context.req.method, path: context.req.path }, 'a request failed')
    return problemResponse(new FootbridgeError('internal', 'a fault of the bridge; its log has more'))
  }
}

export function problemResponse(error: FootbridgeError): Response {
  const status = STATUS[error.code] ?? 500
  const { retryAfterSeconds, serverTime } = error.details
  const problem: Problem = {
    type: 'about:blank',
    title: error.message,
    status,
    code: error.code,
    ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
    ...(serverTime !== undefined && { serverTime }),
  }
  const headers = new Headers({ 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store' })
  if (retryAfterSeconds !== undefined) headers.set('Retry-After', String(Math.ceil(retryAfterSeconds)))
  if (status === 401) headers.set('WWW-Authenticate', 'Bearer')
  return new Response(JSON.stringify(problem), { status, headers })
}
