/**
 * The primitives that @libp2p/noise asks for during a handshake, and the one thing that it does not hand out: the two keys that the handshake ends with.
 * They are what HKDF gives for an empty input, which in the XX pattern happens once, at the split (Noise specification, 5.2); every other input is a
 * Diffie-Hellman result of 32 bytes. handshake.test.ts fails when that changes.
 * Not here: sealing records (sealed-stream.ts) and the handshake itself, which stays the library's.
 */
import { createHash, createHmac } from 'node:crypto'
import { pureJsCrypto, type ICryptoInterface, type KeyPair } from '@libp2p/noise'
import type { Uint8ArrayList } from 'uint8arraylist'
import { TAG_BYTES, type Aead } from './aead.ts'
import { generateX25519KeyPair, x25519 } from './x25519.ts'

/** Initiator to responder first. */
export type TransportKeys = readonly [Uint8Array, Uint8Array]

export interface HandshakeCrypto extends ICryptoInterface {
  /** Undefined until the handshake is through. */
  transportKeys(): TransportKeys | undefined
}

/** One per handshake. @param staticKeys made once per node: generating them for every connection would cost as much as the rest of the handshake. */
export function createHandshakeCrypto(aead: Aead, staticKeys: KeyPair, onSplit: () => void): HandshakeCrypto {
  let keys: TransportKeys | undefined
  return {
    ...pureJsCrypto,
    generateX25519KeyPair,
    generateX25519KeyPairFromSeed: () => staticKeys,
    generateX25519SharedKey: (privateKey, publicKey) => x25519(privateKey.subarray(), publicKey.subarray()),
    hashSHA256(data) {
      const hash = createHash('sha256')
      for (const part of partsOf(data)) hash.update(part)
      return hash.digest()
    },
    getHKDF(chainingKey, input) {
      const expanded = hkdf(chainingKey, input)
      if (input.length === 0) {
        keys = [expanded[0], expanded[1]]
        onSplit()
      }
      return expanded
    },
    chaCha20Poly1305Encrypt(plaintext, nonce, associated, key) {
      const plain = plaintext.subarray()
      const sealed = new Uint8Array(plain.length + TAG_BYTES)
      aead.seal(sealed, plain, nonce, key, associated)
      return sealed
    },
    chaCha20Poly1305Decrypt(ciphertext, nonce, associated, key) {
      // A copy, since the ciphertext is hashed afterwards. Not slice(): a Buffer's is a view.
      const bytes = new Uint8Array(ciphertext.subarray())
      const plain = bytes.subarray(0, bytes.length - TAG_BYTES)
      aead.open(plain, bytes.subarray(plain.length), nonce, key, associated)
      return plain
    },
    transportKeys: () => keys,
  }
}

/** Noise specification, 4.3: HKDF with three outputs. */
function hkdf(chainingKey: Uint8Array, input: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const temporary = hmac(chainingKey, input)
  const first = hmac(temporary, Uint8Array.of(1))
  const second = hmac(temporary, first, Uint8Array.of(2))
  return [first, second, hmac(temporary, second, Uint8Array.of(3))]
}

function hmac(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  const mac = createHmac('sha256', key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

function partsOf(data: Uint8Array | Uint8ArrayList): Iterable<Uint8Array> {
  return data instanceof Uint8Array ? [data] : data
}
