/**
 * ChaCha20-Poly1305 as RFC 8439 has it, for records: libsodium where its binary loads, OpenSSL elsewhere.
 *
 * Why libsodium: Node's cipher objects cost about 20 µs each before the first byte, which is most of what a short message costs on a relay; libsodium's
 * calls cost about 1 µs and write where they are told (docs/decisions/0009).
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import type SodiumNative from 'sodium-native'

export const TAG_BYTES = 16

export interface Aead {
  readonly name: 'libsodium' | 'openssl'
  /** Seals `plain` into `sealed`, which has room for TAG_BYTES more and may begin at the same memory. */
  seal(sealed: Uint8Array, plain: Uint8Array, nonce: Uint8Array, key: Uint8Array, associated?: Uint8Array): void
  /** Opens in place. @throws when the tag does not fit */
  open(ciphertext: Uint8Array, tag: Uint8Array, nonce: Uint8Array, key: Uint8Array, associated?: Uint8Array): void
}

/** The faster one that this machine has. */
export async function loadAead(): Promise<Aead> {
  try {
    return sodiumAead((await import('sodium-native')).default)
  } catch {
    return openSslAead
  }
}

type Sodium = typeof SodiumNative

function sodiumAead(sodium: Sodium): Aead {
  return {
    name: 'libsodium',
    seal(sealed, plain, nonce, key, associated) {
      sodium.crypto_aead_chacha20poly1305_ietf_encrypt(sealed, plain, associated ?? null, null, nonce, key)
    },
    open(ciphertext, tag, nonce, key, associated) {
      sodium.crypto_aead_chacha20poly1305_ietf_decrypt_detached(ciphertext, null, ciphertext, tag, associated ?? null, nonce, key)
    },
  }
}

const CIPHER = 'chacha20-poly1305'

export const openSslAead: Aead = {
  name: 'openssl',
  seal(sealed, plain, nonce, key, associated) {
    const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
    if (associated !== undefined) cipher.setAAD(associated, { plaintextLength: plain.length })
    sealed.set(cipher.update(plain))
    cipher.final()
    sealed.set(cipher.getAuthTag(), plain.length)
  },
  open(ciphertext, tag, nonce, key, associated) {
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
    if (associated !== undefined) decipher.setAAD(associated, { plaintextLength: ciphertext.length })
    decipher.setAuthTag(tag)
    const plain = decipher.update(ciphertext)
    decipher.final()
    ciphertext.set(plain)
  },
}
