/**
 * The identity as a file, encrypted under a passphrase. JSON, so that it can be looked at:
 *
 *     { "footbridge": "identity", "version": 1, "peer": "<PeerID>",
 *       "kdf": { "name": "PBKDF2-SHA-256", "iterations": 600000, "salt": "<16 bytes, base64url>" },
 *       "cipher": { "name": "AES-256-GCM", "iv": "<12 bytes, base64url>" },
 *       "key": "<libp2p protobuf of the Ed25519 private key, encrypted; base64url>" }
 *
 * The additional data of the encryption is the ASCII text `footbridge identity 1 <PeerID>`, so that the name on the file cannot be changed.
 * Version history: 1, 2026-11-21, first. Unknown fields are ignored; an unknown version is refused.
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import { base64urlDecode, base64urlEncode, utf8Encode } from '@footbridge/shared/text-codec'
import * as v from 'valibot'
import type { IdentityRecord } from './store/database.ts'

/** OWASP's figure for PBKDF2 with SHA-256; about 0.3 s on a phone. */
const ITERATIONS = 600_000
/** A file that asks for more would only burn the reader's battery. */
const MAX_ITERATIONS = 10_000_000
const MAX_FILE_LENGTH = 10_000

const text = v.pipe(v.string(), v.maxLength(1_000))
const fileSchema = v.object({
  footbridge: v.literal('identity'),
  version: v.literal(1),
  peer: text,
  kdf: v.object({
    name: v.literal('PBKDF2-SHA-256'),
    iterations: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_ITERATIONS)),
    salt: text,
  }),
  cipher: v.object({ name: v.literal('AES-256-GCM'), iv: text }),
  key: text,
})

/** @param passphrase not empty. @throws FootbridgeError `bad_request` */
export async function exportIdentity(identity: IdentityRecord, passphrase: string): Promise<string> {
  if (passphrase.length === 0) throw new FootbridgeError('bad_request', 'an identity is exported under a passphrase')
  const salt = crypto.getRandomValues(new Uint8Array(16))
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const key = await deriveKey(passphrase, salt, ITERATIONS)
  const plain = Uint8Array.from(identity.privateKey)
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: label(identity.peer) }, key, plain)
  const file = {
    footbridge: 'identity',
    version: 1,
    peer: identity.peer,
    kdf: { name: 'PBKDF2-SHA-256', iterations: ITERATIONS, salt: base64urlEncode(salt) },
    cipher: { name: 'AES-256-GCM', iv: base64urlEncode(iv) },
    key: base64urlEncode(new Uint8Array(sealed)),
  } satisfies v.InferInput<typeof fileSchema>
  return `${JSON.stringify(file, undefined, 2)}\n`
}

/** @returns PeerID and private key; that they belong together is for the caller to check. @throws FootbridgeError `bad_request`, `passphrase_wrong` */
export async function openIdentity(exported: string, passphrase: string): Promise<{ peer: string; privateKey: Uint8Array }> {
  const file = parseFile(exported)
  const salt = base64urlDecode(file.kdf.salt)
  const iv = base64urlDecode(file.cipher.iv)
  const sealed = base64urlDecode(file.key)
  if (!salt || !iv || !sealed) throw new FootbridgeError('bad_request', 'the identity file is damaged')
  try {
    const key = await deriveKey(passphrase, salt, file.kdf.iterations)
    const plain = await crypto.subtle.decrypt({ name: 'AES-GCM', iv, additionalData: label(file.peer) }, key, sealed)
    return { peer: file.peer, privateKey: new Uint8Array(plain) }
  } catch (cause) {
    throw new FootbridgeError('passphrase_wrong', 'the passphrase does not open this identity', { cause })
  }
}

function parseFile(exported: string): v.InferOutput<typeof fileSchema> {
  try {
    if (exported.length <= MAX_FILE_LENGTH) return v.parse(fileSchema, JSON.parse(exported))
  } catch (cause) {
    throw new FootbridgeError('bad_request', 'this is not an identity file of Footbridge', { cause })
  }
  throw new FootbridgeError('bad_request', 'this is not an identity file of Footbridge')
}

async function deriveKey(passphrase: string, salt: Uint8Array<ArrayBuffer>, iterations: number): Promise<CryptoKey> {
  // One form of each letter, so that the same passphrase typed on another system opens the file.
  const material = await crypto.subtle.importKey('raw', utf8Encode(passphrase.normalize('NFKC')), 'PBKDF2', false, ['deriveKey'])
  return crypto.subtle.deriveKey({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations }, material, { name: 'AES-GCM', length: 256 }, false, [
    'encrypt',
    'decrypt',
  ])
}

function label(peer: string): Uint8Array<ArrayBuffer> {
  return utf8Encode(`footbridge identity 1 ${peer}`)
}
