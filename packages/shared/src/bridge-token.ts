/**
 * The bridge token's text form and the login link that carries it.
 * `fb1_` and 43 characters of base64url: 256 random bits. The token stands in the fragment of a login link, which browsers never send.
 * Not here: what a token may do (apps/bridge/src/auth) and how one is made (needs randomness).
 */
import { base64urlDecode, base64urlEncode } from './text-codec.ts'

declare const bridgeToken: unique symbol
/** The text of a well-formed bridge token: a secret. Never log it, never put it in a URL that a server sees. */
export type BridgeToken = string & { readonly [bridgeToken]: true }

export const BRIDGE_TOKEN_BYTES = 32
const PREFIX = 'fb1_'

/** @param secret 32 random bytes. */
export function formatBridgeToken(secret: Uint8Array): BridgeToken {
  if (secret.length !== BRIDGE_TOKEN_BYTES) throw new RangeError(`a bridge token has ${BRIDGE_TOKEN_BYTES} bytes, not ${secret.length}`)
  return (PREFIX + base64urlEncode(secret)) as BridgeToken
}

/** The token in `text`, surrounding white space forgiven, or undefined. */
export function parseBridgeToken(text: string): BridgeToken | undefined {
  const trimmed = text.trim()
  if (!trimmed.startsWith(PREFIX)) return undefined
  return base64urlDecode(trimmed.slice(PREFIX.length))?.length === BRIDGE_TOKEN_BYTES ? (trimmed as BridgeToken) : undefined
}

/** `https://bridge.example/#token=fb1_…`; `origin` has no trailing slash. */
export function formatLoginLink(origin: string, token: BridgeToken): string {
  return `${origin}/#token=${token}`
}

/**
 * What a person pasted, scanned or opened: a bare token, or a login link of any bridge.
 * `origin` is set for a link, so that an app on one origin can log in at a bridge on another.
 */
export function parseLogin(text: string): { token: BridgeToken; origin?: string } | undefined {
  const bare = parseBridgeToken(text)
  if (bare !== undefined) return { token: bare }
  const match = /^(https?:\/\/[^/?#\s]+)\/?[^#\s]*#(?:.*&)?token=([A-Za-z0-9_-]+)/.exec(text.trim())
  const token = match?.[2] === undefined ? undefined : parseBridgeToken(match[2])
  return token === undefined || match?.[1] === undefined ? undefined : { token, origin: match[1] }
}
