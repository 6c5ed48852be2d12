/**
 * A record that arrives in pieces: js-libp2p puts the length, the ciphertext and the tag of one record into a WebSocket message each, TCP cuts anywhere.
 * A ciphertext that lies in one chunk stays there and is opened there; anything else is copied together.
 */
import { TAG_BYTES } from './aead.ts'

export const LENGTH_BYTES = 2

export interface WholeRecord {
  readonly ciphertext: Uint8Array
  readonly tag: Uint8Array
}

const NOTHING = new Uint8Array(0)

export class PartialRecord {
  /** Bytes taken so far, the length field included; 0 while there is none. */
  length = 0
  /** Of the record without its length field; known once two bytes are there. */
  #recordBytes = 0
  #ciphertext: Uint8Array = NOTHING
  /** Of the ciphertext, how much is there. */
  #filled = 0
  #tag: Uint8Array = NOTHING

  /** @param chunk the beginning of a record, and not the whole of it */
  begin(chunk: Uint8Array): void {
    this.add(chunk)
  }

  /** @returns how many of the chunk's bytes belong to this record */
  add(chunk: Uint8Array): number {
    let offset = 0
    while (this.length < LENGTH_BYTES && offset < chunk.length) {
      this.#recordBytes = (this.#recordBytes << 8) | (chunk[offset++] ?? 0)
      if (++this.length === LENGTH_BYTES) this.#prepare()
    }
    if (this.length < LENGTH_BYTES) return offset
    offset += this.#addCiphertext(chunk.subarray(offset))
    const tagFilled = this.length - LENGTH_BYTES - this.#filled
    const part = chunk.subarray(offset, offset + TAG_BYTES - tagFilled)
    if (this.#filled === this.#ciphertextBytes && part.length > 0) {
      this.#tag.set(part, tagFilled)
      this.length += part.length
      offset += part.length
    }
    return offset
  }

  /** @returns the record once it is whole; it is then forgotten here. */
  takeWhole(): WholeRecord | undefined {
    if (this.length < LENGTH_BYTES || this.length < LENGTH_BYTES + this.#recordBytes) return undefined
    const record = { ciphertext: this.#ciphertext, tag: this.#tag }
    this.length = this.#recordBytes = this.#filled = 0
    this.#ciphertext = this.#tag = NOTHING
    return record
  }

  get #ciphertextBytes(): number {
    return this.#recordBytes - TAG_BYTES
  }

  #prepare(): void {
    if (this.#ciphertextBytes < 0) throw new Error('a noise record is shorter than its tag')
    this.#tag = new Uint8Array(TAG_BYTES)
  }

  #addCiphertext(chunk: Uint8Array): number {
    const missing = this.#ciphertextBytes - this.#filled
    if (missing === 0) return 0
    if (this.#filled === 0 && chunk.length >= missing) {
      this.#ciphertext = chunk.subarray(0, missing)
    } else {
      // Not before bytes of it are there: a length alone must not cost 64 KiB.
      if (chunk.length === 0) return 0
      if (this.#filled === 0) this.#ciphertext = Buffer.allocUnsafe(this.#ciphertextBytes)
      this.#ciphertext.set(chunk.subarray(0, missing), this.#filled)
    }
    const taken = Math.min(missing, chunk.length)
    this.#filled += taken
    this.length += taken
    return taken
  }
}
