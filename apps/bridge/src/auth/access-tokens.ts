/**
 * Access tokens: what a device shows to the HTTP API after its login. A JWT (RFC 9068 shape) signed by the bridge's identity key and bound to a PeerID,
 * so that any bridge that trusts this bridge's PeerID can check it without asking.
 * Not here: whether the session still lives (sessions.ts asks the registry).
 */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { base64urlEncode } from '@footbridge/shared/text-codec'
import { jwtVerify, SignJWT } from 'jose'
import * as v from 'valibot'

const ALGORITHM = 'Ed25519'
const TYPE = 'at+jwt'
const REQUIRED_CLAIMS = ['iss', 'aud', 'sub', 'jti', 'iat', 'exp', 'cnf', 'token']

const claimsSchema = v.object({
  iss: v.string(),
  /** The PeerID that may use it. */
  sub: v.string(),
  jti: v.string(),
  /** Seconds since the epoch, as in every JWT. */
  iat: v.number(),
  exp: v.number(),
  /** RFC 7800: the key that the holder has proved. `peer` is its PeerID, which contains the key. */
  cnf: v.object({ peer: v.string() }),
  /** Id of the bridge token behind the session. */
  token: v.string(),
})
export type AccessClaims = v.InferOutput<typeof claimsSchema>

export interface AccessTokens {
  sign(grant: { peer: string; tokenId: string; expiresAt: number }): Promise<string>
  /** The claims of a token of this bridge that has not expired; undefined for everything else. */
  verify(jwt: string): Promise<AccessClaims | undefined>
}

export interface AccessTokensDependencies {
  readonly privateKey: Ed25519PrivateKey
  readonly clock: () => number
  readonly randomBytes: (length: number) => Uint8Array
}

export function createAccessTokens({ privateKey, clock, randomBytes }: AccessTokensDependencies): AccessTokens {
  const bridge = privateKey.publicKey.toString()
  // libp2p keeps seed and public key in one: 32 and 32 bytes.
  const x = base64urlEncode(privateKey.publicKey.raw)
  const signingKey = createPrivateKey({
    format: 'jwk',
    key: { kty: 'OKP', crv: 'Ed25519', x, d: base64urlEncode(privateKey.raw.subarray(0, 32)) },
  })
  const verifyingKey = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } })

  return {
    sign: ({ peer, tokenId, expiresAt }) =>
      new SignJWT({ cnf: { peer }, token: tokenId })
        .setProtectedHeader({ alg: ALGORITHM, typ: TYPE })
        .setIssuer(bridge)
        .setAudience(bridge)
        .setSubject(peer)
        .setJti(base64urlEncode(randomBytes(16)))
        .setIssuedAt(Math.floor(clock() / 1_000))
        .setExpirationTime(Math.floor(expiresAt / 1_000))
        .sign(signingKey),

    async verify(jwt) {
      try {
        const { payload } = await jwtVerify(jwt, verifyingKey, {
          algorithms: [ALGORITHM],
          issuer: bridge,
          audience: bridge,
          typ: TYPE,
          requiredClaims: REQUIRED_CLAIMS,
          currentDate: new Date(clock()),
        })
        const claims = v.safeParse(claimsSchema, payload)
        return claims.success && claims.output.cnf.peer === claims.output.sub ? claims.output : undefined
      } catch {
        // Whatever is wrong with it, the holder is told one thing: log in again.
        return undefined
      }
    },
  }
}
