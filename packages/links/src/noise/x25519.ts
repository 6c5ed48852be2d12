/** X25519 (RFC 7748) by OpenSSL, keys as the 32 raw bytes that noise exchanges. Node takes keys in DER only: fixed prefixes in front of the same bytes. */
import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto'
import type { KeyPair } from '@libp2p/noise'

/** RFC 8410: the algorithm and the length of what follows. */
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')
const PUBLIC_PREFIX = Buffer.from('302a300506032b656e032100', 'hex')

export function generateX25519KeyPair(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('x25519', {
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  })
  return { publicKey: publicKey.subarray(PUBLIC_PREFIX.length), privateKey: privateKey.subarray(PRIVATE_PREFIX.length) }
}

/** @throws when the public key has a small order, as RFC 7748 section 6.1 demands. */
export function x25519(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array {
  return diffieHellman({
    privateKey: createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, privateKey]), type: 'pkcs8', format: 'der' }),
    publicKey: createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, publicKey]), type: 'spki', format: 'der' }),
  })
}
