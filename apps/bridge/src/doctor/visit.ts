/**
 * A login as a browser does it, with a key of its own and a token that the bridge made for this: what people are told is what is checked.
 */
import { createHash, randomBytes } from 'node:crypto'
import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromString } from '@libp2p/peer-id'
import { encodeLoginStatement, type SessionAnswer } from '@footbridge/shared/login'
import { base64urlEncode } from '@footbridge/shared/text-codec'
import { ask } from './http-probe.ts'

export interface Visit {
  readonly session: SessionAnswer
  readonly headers: { readonly Authorization: string }
  end(): Promise<void>
}

/** @throws with the reason in half a line. */
export async function visit(url: string, bridgePeer: string, token: string, now: number): Promise<Visit> {
  const key = await generateKeyPair('Ed25519')
  const nonce = randomBytes(16)
  const statement = encodeLoginStatement({
    bridge: peerIdFromString(bridgePeer).toMultihash().bytes,
    credential: 'token',
    tokenHash: createHash('sha256').update(token).digest(),
    timestamp: now,
    nonce,
  })
  const { status, body } = await ask(`${url}/api/v1/sessions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      credential: { kind: 'token', token },
      publicKey: base64urlEncode(publicKeyToProtobuf(key.publicKey)),
      timestamp: now,
      nonce: base64urlEncode(nonce),
      signature: base64urlEncode(await key.sign(statement)),
      name: 'footbridge doctor',
    }),
  })
  if (status !== 201) throw new Error(`the login was answered ${status}`)
  const session = JSON.parse(body) as SessionAnswer
  const headers = { Authorization: `Bearer ${session.accessToken}` }
  return {
    session,
    headers,
    async end() {
      await ask(`${url}/api/v1/sessions/current`, { method: 'DELETE', headers }).catch(() => {})
    },
  }
}
