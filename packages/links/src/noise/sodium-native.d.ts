/** What is used of sodium-native, which ships no types. Arguments are libsodium's, in its order. */
declare module 'sodium-native' {
  const sodium: {
    crypto_aead_chacha20poly1305_ietf_encrypt(
      sealed: Uint8Array,
      plain: Uint8Array,
      associated: Uint8Array | null,
      unused: null,
      nonce: Uint8Array,
      key: Uint8Array,
    ): number
    /** @throws when the tag does not fit */
    crypto_aead_chacha20poly1305_ietf_decrypt_detached(
      plain: Uint8Array,
      unused: null,
      ciphertext: Uint8Array,
      tag: Uint8Array,
      associated: Uint8Array | null,
      nonce: Uint8Array,
      key: Uint8Array,
    ): void
  }
  export default sodium
}
