/**
 * Bytes that wait, copied into blocks of their own: what arrives may be a few bytes of a large buffer, which must not be kept for their sake.
 */
const BLOCK_BYTES = 16 * 1024

export class ByteQueue {
  #blocks: Uint8Array[] = []
  /** Bytes of the last block that are in use. */
  #filled = 0
  /** Bytes of the first block that have been taken. */
  #taken = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  push(bytes: Uint8Array): void {
    let offset = 0
    while (offset < bytes.length) {
      let last = this.#blocks.at(-1)
      if (last === undefined || this.#filled === last.length) {
        last = new Uint8Array(Math.max(BLOCK_BYTES, bytes.length - offset))
        this.#blocks.push(last)
        this.#filled = 0
      }
      const part = bytes.subarray(offset, offset + last.length - this.#filled)
      last.set(part, this.#filled)
      this.#filled += part.length
      offset += part.length
    }
    this.#length += bytes.length
  }

  /** @returns up to `max` bytes from the front, at least one while there are any. The memory is not used again. */
  take(max: number): Uint8Array {
    const [first] = this.#blocks
    if (first === undefined || this.#length === 0) return new Uint8Array(0)
    const end = this.#blocks.length === 1 ? this.#filled : first.length
    const bytes = first.subarray(this.#taken, Math.min(end, this.#taken + max))
    this.#taken += bytes.length
    this.#length -= bytes.length
    if (this.#taken === end) {
      this.#blocks.shift()
      this.#taken = 0
      if (this.#blocks.length === 0) this.#filled = 0
    }
    return bytes
  }

  clear(): void {
    this.#blocks = []
    this.#filled = 0
    this.#taken = 0
    this.#length = 0
  }
}
