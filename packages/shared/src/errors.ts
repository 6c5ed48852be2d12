/**
 * Every refusal that crosses an edge of Footbridge, by a stable code, and the one error class that carries it.
 * Codes survive the wire and renames; messages are for people and may change. Callers branch on `code` alone.
 * Not here: how a code becomes an HTTP status (apps/bridge/src/http/errors.ts) or a sentence in the app (its message files).
 */
import * as v from 'valibot'

export const ERROR_CODES = [
  /** The input does not have the documented shape. */
  'bad_request',
  /** The body, frame, block or text is larger than its limit. */
  'too_large',
  /** No such route or thing, or not for you: the two are not told apart. */
  'not_found',
  /** The signature over the login does not fit its public key and fields. */
  'signature_invalid',
  /** The login's timestamp is too far from the bridge's clock; the problem carries `serverTime`. */
  'clock_skew',
  /** The login's nonce was used before. */
  'replayed',
  /** The bridge token is not one of this bridge's. */
  'token_unknown',
  /** The bridge token's end date has passed. */
  'token_expired',
  /** The operator has revoked the bridge token. */
  'token_revoked',
  /** The bridge token has enrolled as many devices as it may. */
  'token_devices_full',
  /** This device was never enrolled here, or its token is gone: a bridge token is needed. */
  'device_unknown',
  /** This bridge lets nobody in without a token. */
  'guests_off',
  /** This bridge has as many guests as it may. */
  'guests_full',
  /** The access token is missing, forged or expired: log in again. */
  'unauthorized',
  /** Too many attempts; the problem carries `retryAfterSeconds`. */
  'rate_limited',
  /** The bridge has reached a limit of its own. */
  'bridge_full',
  /** The bridge is stopping or starting. */
  'unavailable',
  /** A fault of the bridge; its log has more. */
  'internal',
  /** Nobody answered at the address: no network, or the bridge is away. */
  'unreachable',
  /** The answer is not one that a Footbridge bridge gives. */
  'not_a_bridge',
  /** The work was called off by its caller. */
  'aborted',
  /** A deadline passed. */
  'timeout',
  /** No path to that peer at the moment. */
  'peer_unreachable',
  /** Nobody who is connected is subscribed to the topic. */
  'no_subscribers',
  /** The other side broke the protocol. */
  'protocol_violation',
  /** No peer that was asked has the block. */
  'block_not_found',
  /** The bytes do not hash to their CID. */
  'block_mismatch',
  /** The browser has no room left, or refuses to store. */
  'storage_full',
  /** The passphrase does not open the exported identity, or the file is damaged. */
  'passphrase_wrong',
  /** Another tab holds this peer. */
  'other_tab',
  /** Another device came with the same identity and holds this peer. */
  'other_device',
] as const

export type ErrorCode = (typeof ERROR_CODES)[number]

/** An error with a stable code. `details` is safe to show and to send: never a secret. */
export class FootbridgeError extends Error {
  override readonly name = 'FootbridgeError'
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; details?: ErrorDetails } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
  }
}

export interface ErrorDetails {
  /** Seconds after which another try may succeed. */
  readonly retryAfterSeconds?: number | undefined
  /** The bridge's clock, milliseconds since the epoch, with `clock_skew`. */
  readonly serverTime?: number | undefined
}

export function isFootbridgeError(value: unknown, code?: ErrorCode): value is FootbridgeError {
  return value instanceof FootbridgeError && (code === undefined || value.code === code)
}

/** The body of every refused HTTP request: RFC 9457 `application/problem+json` with our code. */
export const problemSchema = v.object({
  type: v.literal('about:blank'),
  title: v.string(),
  status: v.pipe(v.number(), v.integer()),
  code: v.picklist(ERROR_CODES),
  retryAfterSeconds: v.optional(v.number()),
  serverTime: v.optional(v.number()),
})

export type Problem = v.InferOutput<typeof problemSchema>
