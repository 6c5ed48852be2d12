/**
 * Login over HTTP: one round trip to an enrolled bridge, two the first time. No cookies; the bridge token is sent once and not kept.
 * The signed bytes are in shared/login.ts; when to log in is the supervisor's business.
 */
import { publicKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { FootbridgeError, isFootbridgeError, problemSchema } from '@footbridge/shared/errors'
import {
  bridgeAnswerSchema,
  encodeLoginStatement,
  LOGIN_NONCE_BYTES,
  sessionAnswerSchema,
  type BridgeAnswer,
  type LoginRequest,
  type SessionAnswer,
} from '@footbridge/shared/login'
import type { Visibility } from '@footbridge/shared/wire/announce-frame'
import { base64urlEncode, utf8Encode } from '@footbridge/shared/text-codec'
import { withDeadline } from '@footbridge/protocols/deadline'
import * as v from 'valibot'

/** A phone that wakes its radio, a TLS handshake, a slow bridge. */
const REQUEST_TIMEOUT_MS = 15_000

export interface LoginParts {
  /** Without a trailing slash. */
  readonly bridgeUrl: string
  readonly fetch: typeof fetch
  /** This device's clock, milliseconds since the epoch. */
  readonly now: () => number
}

export interface LoginInput {
  /** The bridge's PeerID: the signature is good for this bridge alone. */
  readonly bridgePeer: string
  readonly key: Ed25519PrivateKey
  readonly credential: LoginRequest['credential']
  readonly name: string
  readonly visibility: Visibility
}

/** @throws FootbridgeError `unreachable`, `not_a_bridge`, `timeout`, `aborted` */
export async function fetchBridge(parts: LoginParts, signal?: AbortSignal): Promise<BridgeAnswer> {
  return request(parts, 'GET', '/api/v1/bridge', undefined, bridgeAnswerSchema, signal)
}

/** @throws FootbridgeError any code of a refused login, `unreachable`, `not_a_bridge`, `timeout`, `aborted` */
export async function logIn(parts: LoginParts, input: LoginInput, signal?: AbortSignal): Promise<SessionAnswer> {
  const attempt = async (timestamp: number): Promise<SessionAnswer> => {
    const body = await signRequest(input, timestamp)
    return request(parts, 'POST', '/api/v1/sessions', body, sessionAnswerSchema, signal)
  }
  try {
    return await attempt(parts.now())
  } catch (error) {
    const bridgeTime = isFootbridgeError(error, 'clock_skew') ? error.details.serverTime : undefined
    if (bridgeTime === undefined) throw error
    return attempt(bridgeTime)
  }
}

/** Tells the bridge; a bridge that cannot be told will see the session expire. */
export async function logOut(parts: LoginParts, accessToken: string): Promise<void> {
  await withDeadline({ timeoutMs: REQUEST_TIMEOUT_MS, what: 'logging out' }, async (signal) => {
    await parts.fetch(`${parts.bridgeUrl}/api/v1/sessions/current`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${accessToken}` },
      credentials: 'omit',
      signal,
    })
  })
}

async function signRequest(input: LoginInput, timestamp: number): Promise<LoginRequest> {
  const { credential, key, name, visibility } = input
  const nonce = crypto.getRandomValues(new Uint8Array(LOGIN_NONCE_BYTES))
  const tokenHash =
    credential.kind === 'token' ? new Uint8Array(await crypto.subtle.digest('SHA-256', utf8Encode(credential.token))) : undefined
  const statement = encodeLoginStatement({
    bridge: peerIdFromString(input.bridgePeer).toMultihash().bytes,
    credential: credential.kind,
    tokenHash,
    timestamp,
    nonce,
  })
  return {
    credential,
    publicKey: base64urlEncode(publicKeyToProtobuf(key.publicKey)),
    timestamp,
    nonce: base64urlEncode(nonce),
    signature: base64urlEncode(await key.sign(statement)),
    ...(name !== '' && { name }),
    visibility,
  }
}

async function request<const Schema extends v.GenericSchema>(
  parts: LoginParts,
  method: 'GET' | 'POST',
  path: string,
  body: unknown,
  schema: Schema,
  signal: AbortSignal | undefined,
): Promise<v.InferOutput<Schema>> {
  const { status, text } = await withDeadline({ timeoutMs: REQUEST_TIMEOUT_MS, what: "the bridge's answer", signal }, async (inner) => {
    try {
      const response = await parts.fetch(`${parts.bridgeUrl}${path}`, {
        method,
        credentials: 'omit',
        cache: 'no-store',
        signal: inner,
        ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
      return { status: response.status, text: await response.text() }
    } catch (cause) {
      throw inner.aborted ? inner.reason : new FootbridgeError('unreachable', 'nobody answered at the bridge', { cause })
    }
  })
  const value = parseJson(text)
  if (status >= 200 && status < 300) {
    const result = v.safeParse(schema, value)
    if (result.success) return result.output
    throw new FootbridgeError('not_a_bridge', 'the answer is not that of a bridge')
  }
  const problem = v.safeParse(problemSchema, value)
  if (problem.success) {
    const { code, title, retryAfterSeconds, serverTime } = problem.output
    throw new FootbridgeError(code, title, { details: { retryAfterSeconds, serverTime } })
  }
  // A proxy in front of a bridge that is away answers in its own words.
  if (status === 502 || status === 503 || status === 504) throw new FootbridgeError('unreachable', `the bridge is away (HTTP ${status})`)
  throw new FootbridgeError('not_a_bridge', `the answer is not that of a bridge (HTTP ${status})`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
