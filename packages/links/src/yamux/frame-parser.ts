/**
 * Cuts arriving chunks into yamux frames without waiting for whole ones: a data frame's body is handed on in the pieces in which it comes.
 * Not here: what a frame means (yamux-muxer.ts).
 */
import { HEADER_BYTES } from './frame.ts'
import { TYPE } from './frame.ts'

export interface FrameHandler {
  /** Every frame; the body of a data frame follows in calls of `body`, `bodyEnd` after the last, also when it is empty. */
  header(type: number, flags: number, streamId: number, length: number): void
  /** `headroom` bytes in front of the piece may be overwritten. */
  body(piece: Uint8Array, headroom: number): void
  bodyEnd(): void
}

export class FrameParser {
  readonly #handler: FrameHandler
  readonly #header = new Uint8Array(HEADER_BYTES)
  #headerBytes = 0
  #bodyLeft = 0
  #inBody = false

  constructor(handler: FrameHandler) {
    this.#handler = handler
  }

  /** @throws Error when the version is not 0. What the handler throws ends the parsing too. */
  receive(chunk: Uint8Array, headroom: number): void {
    let offset = 0
    let free = headroom
    while (offset < chunk.length) {
      if (this.#inBody) {
        const end = Math.min(chunk.length, offset + this.#bodyLeft)
        this.#bodyLeft -= end - offset
        this.#handler.body(offset === 0 && end === chunk.length ? chunk : chunk.subarray(offset, end), free)
        offset = end
        free = 0
        this.#endBody()
      } else if (this.#headerBytes === 0 && chunk.length - offset >= HEADER_BYTES) {
        this.#read(chunk, offset)
        offset += HEADER_BYTES
        // The header just read is of no more use.
        free = HEADER_BYTES
      } else {
        const taken = Math.min(HEADER_BYTES - this.#headerBytes, chunk.length - offset)
        this.#header.set(chunk.subarray(offset, offset + taken), this.#headerBytes)
        this.#headerBytes += taken
        offset += taken
        free = 0
        if (this.#headerBytes < HEADER_BYTES) return
        this.#headerBytes = 0
        this.#read(this.#header, 0)
      }
    }
  }

  #read(bytes: Uint8Array, at: number): void {
    const byte = (index: number): number => bytes[at + index] ?? 0
    if (byte(0) !== 0) throw new Error(`yamux version ${byte(0)} is not 0`)
    const type = byte(1)
    const length = ((byte(8) << 24) | (byte(9) << 16) | (byte(10) << 8) | byte(11)) >>> 0
    this.#inBody = type === TYPE.data
    this.#bodyLeft = this.#inBody ? length : 0
    this.#handler.header(type, (byte(2) << 8) | byte(3), ((byte(4) << 24) | (byte(5) << 16) | (byte(6) << 8) | byte(7)) >>> 0, length)
    this.#endBody()
  }

  #endBody(): void {
    if (!this.#inBody || this.#bodyLeft > 0) return
    this.#inBody = false
    this.#handler.bodyEnd()
  }
}
