/**
 * Login: the bytes that a device signs, the request and the answer of `POST /api/v1/sessions`.
 *
 * Signed bytes, in this order, without separators:
 *
 *     label       18 bytes  ASCII "footbridge-login-1"
 *     bridge      1 byte length, then the bridge's PeerID as multihash bytes
 *     credential  1 byte    0 device, 1 token, 2 guest
 *     tokenHash   32 bytes  SHA-256 of the bridge token's ASCII text; zeros unless the credential is a token
 *     timestamp   8 bytes   unsigned big-endian, milliseconds since the epoch
 *     nonce       16 bytes  random
 *
 * The signature is Ed25519 (RFC 8032) under the device's libp2p key. Naming the bridge keeps one bridge from logging in at another with what it was shown.
 * Version history: 1, 2026-11-21, first; 2026-11-28, `visibility`. Unknown fields of the JSON are ignored by both sides.
 */
import * as v from 'valibot'
import { utf8Encode } from './text-codec.ts'
import { MAX_NAME_LENGTH } from './limits.ts'
import { visibilitySchema } from './wire/announce-frame.ts'

const LABEL = utf8Encode('footbridge-login-1')
export const LOGIN_NONCE_BYTES = 16

export const CREDENTIAL_KINDS = { device: 0, token: 1, guest: 2 } as const
export type CredentialKind = keyof typeof CREDENTIAL_KINDS

export interface LoginStatement {
  /** The bridge's PeerID as multihash bytes, at most 255. */
  readonly bridge: Uint8Array
  readonly credential: CredentialKind
  /** SHA-256 of the token's text; undefined unless `credential` is `token`. */
  readonly tokenHash?: Uint8Array | undefined
  /** Milliseconds since the epoch. */
  readonly timestamp: number
  readonly nonce: Uint8Array
}

/** The bytes that the device signs and the bridge verifies. */
export function encodeLoginStatement(statement: LoginStatement): Uint8Array<ArrayBuffer> {
  const { bridge, credential, tokenHash, timestamp, nonce } = statement
  if (bridge.length > 255) throw new RangeError('a PeerID has at most 255 bytes')
  if (nonce.length !== LOGIN_NONCE_BYTES) throw new RangeError(`a login nonce has ${LOGIN_NONCE_BYTES} bytes`)
  if ((tokenHash !== undefined) !== (credential === 'token'))
    throw new RangeError('a token hash goes with the token credential and no other')
  const bytes = new Uint8Array(LABEL.length + 1 + bridge.length + 1 + 32 + 8 + LOGIN_NONCE_BYTES)
  let offset = 0
  const append = (part: Uint8Array): void => {
    bytes.set(part, offset)
    offset += part.length
  }
  append(LABEL)
  append(Uint8Array.of(bridge.length))
  append(bridge)
  append(Uint8Array.of(CREDENTIAL_KINDS[credential]))
  append(tokenHash ?? new Uint8Array(32))
  new DataView(bytes.buffer).setBigUint64(offset, BigInt(timestamp))
  offset += 8
  append(nonce)
  return bytes
}

const base64url = v.pipe(v.string(), v.maxLength(512), v.regex(/^[A-Za-z0-9_-]+$/))

/** The credential inside a login: what entitles this device to a session. */
const credentialSchema = v.variant('kind', [
  /** A device that was enrolled before shows nothing but its signature. */
  v.object({ kind: v.literal('device') }),
  v.object({ kind: v.literal('token'), token: v.pipe(v.string(), v.maxLength(128)) }),
  v.object({ kind: v.literal('guest') }),
])

export const loginRequestSchema = v.object({
  credential: credentialSchema,
  /** The libp2p protobuf encoding of the public key, base64url. Ed25519 only. */
  publicKey: base64url,
  timestamp: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(Number.MAX_SAFE_INTEGER)),
  nonce: base64url,
  signature: base64url,
  /** What the person calls this device; shown to others in the peer list. */
  name: v.optional(v.pipe(v.string(), v.maxLength(MAX_NAME_LENGTH))),
  /** Who can find this device from its first moment on; later it says so on `/footbridge/announce/1.0.0`. `bridge` unless a session says otherwise. */
  visibility: v.optional(visibilitySchema),
})
export type LoginRequest = v.InferOutput<typeof loginRequestSchema>

/** `null` stands for "no limit" throughout, so that absent and unlimited cannot be mixed up. */
export const tokenLimitsSchema = v.object({
  /** End of the token, milliseconds since the epoch. */
  expiresAt: v.nullable(v.number()),
  devices: v.nullable(v.number()),
  bytesPerDay: v.nullable(v.number()),
  bytesPerSecond: v.nullable(v.number()),
})
export type TokenLimits = v.InferOutput<typeof tokenLimitsSchema>

export const sessionAnswerSchema = v.object({
  /** The device's PeerID, as the bridge derived it from the public key. */
  peer: v.string(),
  bridge: v.object({ peer: v.string(), name: v.string(), version: v.string() }),
  /** JWT for the HTTP API, `Authorization: Bearer`. Lives as long as the session. */
  accessToken: v.string(),
  /** When the session ends unless renewed by another login; milliseconds since the epoch, the bridge's clock. */
  expiresAt: v.number(),
  /** The bridge's clock at the answer; the client corrects its own by the difference. */
  serverTime: v.number(),
  /** First hops, best first: multiaddrs that end in the bridge's /p2p/. */
  firstHops: v.array(v.string()),
  /** Bridge addresses for peers that are not browsers; append `/p2p-circuit/p2p/<peer>`. */
  relayAddresses: v.array(v.string()),
  iceServers: v.array(v.object({ urls: v.array(v.string()), username: v.optional(v.string()), credential: v.optional(v.string()) })),
  /** Why this device is here: the token's label, and whether it is a guest. */
  token: v.object({ id: v.string(), label: v.string(), guest: v.boolean(), limits: tokenLimitsSchema }),
})
export type SessionAnswer = v.InferOutput<typeof sessionAnswerSchema>

/** `GET /api/v1/bridge`: what an app must know before it logs in. No secret, no authentication. */
export const bridgeAnswerSchema = v.object({
  peer: v.string(),
  name: v.string(),
  version: v.string(),
  guests: v.boolean(),
  /** As in the session's answer, so that a device that comes for the first time dials ahead of its login. */
  firstHops: v.optional(v.array(v.string())),
  serverTime: v.number(),
})
export type BridgeAnswer = v.InferOutput<typeof bridgeAnswerSchema>
