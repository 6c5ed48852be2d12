/**
 * A session for a peer that cannot log in: it signs the bridge's statement, and who drives it carries that there (docs/protocol.md). Not here: how the request gets
 * to the bridge.
 */
import { createHash, randomBytes } from 'node:crypto'
import { peerIdFromString } from '@libp2p/peer-id'
import { base64urlEncode } from '@footbridge/shared/text-codec'
import { encodeLoginStatement } from '@footbridge/shared/login'
import type { ForeignPeer } from './foreign-peer.ts'

/** To be posted there, as JSON. */
export const SESSIONS_PATH = '/api/v1/sessions'

/** @param token its text. @returns the body that logs this peer in. */
export async function sessionRequest(bridgePeer: string, token: string, peer: ForeignPeer): Promise<string> {
  const [nonce, timestamp] = [randomBytes(16), Date.now()]
  const statement = encodeLoginStatement({
    bridge: peerIdFromString(bridgePeer).toMultihash().bytes,
    credential: 'token',
    tokenHash: createHash('sha256').update(token).digest(),
    timestamp,
    nonce,
  })
  const signed = await peer.order({ do: 'sign', bytes: Buffer.from(statement).toString('hex') })
  return JSON.stringify({
    credential: { kind: 'token', token },
    publicKey: base64urlEncode(Buffer.from(signed['publicKey'] as string, 'hex')),
    timestamp,
    nonce: base64urlEncode(nonce),
    signature: base64urlEncode(Buffer.from(signed['signature'] as string, 'hex')),
  })
}
