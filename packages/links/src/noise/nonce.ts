/** The counter that stands in each record's nonce: four zero bytes, then 64 bits little-endian (Noise specification, 12.3). */

/** Beyond it counting would lose precision. Noise allows 2^64 - 1; at a million records a second this is 285 years. */
const MAX_COUNT = Number.MAX_SAFE_INTEGER

/** Written anew for each record, so one does for all connections. */
const bytes = new Uint8Array(12)
const view = new DataView(bytes.buffer)

export class Nonce {
  #count: number

  /** @param first anything but 0 is for tests */
  constructor(first = 0) {
    this.#count = first
  }

  /** @returns the next nonce; the same memory each time, whichever counter it is of: use it before the next is taken. */
  next(): Uint8Array {
    if (this.#count >= MAX_COUNT) throw new Error('the key of this connection is used up')
    view.setUint32(4, this.#count >>> 0, true)
    view.setUint32(8, Math.floor(this.#count / 2 ** 32), true)
    this.#count++
    return bytes
  }
}
