/**
 * The one place where bytes are held against their CID. SHA-256 only: what UnixFS profiles make, and what WebCrypto does at a gigabyte a second.
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import { MAX_BLOCK_BYTES } from '@footbridge/shared/limits'
import type { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'

/** @throws FootbridgeError `block_mismatch` when the bytes are not the block that the CID names, `too_large` over MAX_BLOCK_BYTES */
export async function verifyBlock(cid: CID, bytes: Uint8Array): Promise<void> {
  if (bytes.length > MAX_BLOCK_BYTES) throw new FootbridgeError('too_large', `a block of ${bytes.length} bytes is over the limit`)
  if (cid.multihash.code !== sha256.code)
    throw new FootbridgeError('block_mismatch', `hash function ${cid.multihash.code} is not known here`)
  const { digest } = await sha256.digest(bytes)
  const expected = cid.multihash.digest
  if (digest.length !== expected.length || !digest.every((byte, index) => byte === expected[index]))
    throw new FootbridgeError('block_mismatch', 'the bytes do not hash to their CID')
}
