/**
 * The device's Ed25519 key: made here, kept in IndexedDB, used to sign logins and libp2p handshakes, never sent.
 */
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { FootbridgeError } from '@footbridge/shared/errors'
import type { IdentityRecord } from './store/database.ts'
import type { SelfStore } from './store/self.ts'

/** The kept key, or a new one. */
export async function loadOrMakeKey(self: Pick<SelfStore, 'identity' | 'setIdentity'>, now: () => number): Promise<Ed25519PrivateKey> {
  const kept = await self.identity()
  if (kept) return decodePrivateKey(kept.privateKey)
  const key = await generateKeyPair('Ed25519')
  const record: IdentityRecord = {
    peer: peerOf(key),
    privateKey: privateKeyToProtobuf(key),
    createdAt: now(),
  }
  await self.setIdentity(record)
  return key
}

export function peerOf(key: Ed25519PrivateKey): string {
  return peerIdFromPrivateKey(key).toString()
}

/** @throws FootbridgeError `bad_request` when the bytes are not an Ed25519 private key */
export function decodePrivateKey(bytes: Uint8Array): Ed25519PrivateKey {
  try {
    const key = privateKeyFromProtobuf(bytes)
    if (key.type === 'Ed25519') return key
  } catch (cause) {
    throw new FootbridgeError('bad_request', 'the kept identity is damaged', { cause })
  }
  throw new FootbridgeError('bad_request', 'the kept identity is not an Ed25519 key')
}
