import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { loadAead, openSslAead, TAG_BYTES } from './aead.ts'
import { Nonce } from './nonce.ts'

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))
const sodium = await loadAead()

it('uses libsodium where its binary loads, as it does where these tests run', () => {
  expect(sodium.name).toBe('libsodium')
})

/** RFC 8439: 2.8.2 (seals), and appendix A.5 (opens). */
const vectors = [
  {
    name: 'RFC 8439, 2.8.2',
    key: hex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f'),
    nonce: hex('070000004041424344454647'),
    associated: hex('50515253c0c1c2c3c4c5c6c7'),
    plain: new TextEncoder().encode(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    ),
    ciphertext: hex(`
      d31a8d34648e60db7b86afbc53ef7ec2 a4aded51296e08fea9e2b5a736ee62d6 3dbea45e8ca9671282fafb69da92728b 1a71de0a9e060b2905d6a5b67ecd3b36
      92ddbd7f2d778b8c9803aee328091b58 fab324e4fad675945585808b4831d7bc 3ff4def08e4b7a9de576d26586cec64b 6116`),
    tag: hex('1ae10b594f09e26a7e902ecbd0600691'),
  },
  {
    name: 'RFC 8439, A.5',
    key: hex('1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0'),
    nonce: hex('000000000102030405060708'),
    associated: hex('f33388860000000000004e91'),
    plain: new TextEncoder().encode(
      'Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as reference material or to cite them other than as /“work in progress./”',
    ),
    ciphertext: hex(`
      64a0861575861af460f062c79be643bd 5e805cfd345cf389f108670ac76c8cb2 4c6cfc18755d43eea09ee94e382d26b0 bdb7b73c321b0100d4f03b7f355894cf
      332f830e710b97ce98c8a84abd0b9481 14ad176e008d33bd60f982b1ff37c855 9797a06ef4f0ef61c186324e2b350638 3606907b6a7c02b0f9f6157b53c867e4
      b9166c767b804d46a59b5216cde7a4e9 9040c5a40433225ee282a1b0a06c523e af4534d7f83fa1155b0047718cbc546a 0d072b04b3564eea1b422273f548271a
      0bb2316053fa76991955ebd63159434e cebb4e466dae5a1073a6727627097a10 49e617d91d361094fa68f0ff77987130 305beaba2eda04df997b714d6c6f2c29
      a6ad5cb4022b02709b`),
    tag: hex('eead9d67890cbb22392336fea1851f38'),
  },
]

for (const aead of [sodium, openSslAead]) {
  describe(`ChaCha20-Poly1305 by ${aead.name}`, () => {
    it.each(vectors)('seals and opens $name', ({ key, nonce, associated, plain, ciphertext, tag }) => {
      const sealed = new Uint8Array(plain.length + TAG_BYTES)
      aead.seal(sealed, plain, nonce, key, associated)
      expect(sealed).toEqual(Uint8Array.from([...ciphertext, ...tag]))
      const opened = ciphertext.slice()
      aead.open(opened, tag, nonce, key, associated)
      expect(opened).toEqual(plain)
    })

    it('seals where the plaintext lies, and without a byte of it', () => {
      const [{ key, nonce, plain, associated, ciphertext, tag }] = vectors as [(typeof vectors)[0]]
      const both = new Uint8Array(plain.length + TAG_BYTES)
      both.set(plain)
      aead.seal(both, both.subarray(0, plain.length), nonce, key, associated)
      expect(both).toEqual(Uint8Array.from([...ciphertext, ...tag]))
      const empty = new Uint8Array(TAG_BYTES)
      aead.seal(empty, new Uint8Array(0), nonce, key)
      expect(() => aead.open(new Uint8Array(0), empty, nonce, key)).not.toThrow()
    })

    it('refuses any bit that was changed, in the ciphertext, the tag, the nonce, the key or what goes with it', () => {
      const [vector] = vectors as [(typeof vectors)[0]]
      for (const part of ['ciphertext', 'tag', 'nonce', 'key', 'associated'] as const) {
        fc.assert(
          fc.property(fc.nat(vector[part].length * 8 - 1), (bit) => {
            const changed = { ...vector, ciphertext: vector.ciphertext.slice(), [part]: vector[part].slice() }
            changed[part][bit >> 3] = (changed[part][bit >> 3] ?? 0) ^ (1 << (bit & 7))
            expect(() => aead.open(changed.ciphertext, changed.tag, changed.nonce, changed.key, changed.associated)).toThrow(Error)
          }),
          { numRuns: 40 },
        )
      }
    })
  })
}

it('makes the same of the same with both', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3_000 }), fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.nat(), (plain, key, count) => {
      const nonce = new Nonce(count).next().slice()
      const [one, other] = [sodium, openSslAead].map((aead) => {
        const sealed = new Uint8Array(plain.length + TAG_BYTES)
        aead.seal(sealed, plain, nonce, key)
        return sealed
      })
      expect(one).toEqual(other)
    }),
    { numRuns: 100 },
  )
})
