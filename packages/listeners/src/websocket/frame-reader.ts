/**
 * Reads the frames of a WebSocket client (RFC 6455, section 5) as a stream of bytes: the payload of binary messages is unmasked where it lies and handed on as
 * it comes, never put together to messages. libp2p sees one stream of bytes anyway, and assembling them cost a relay a copy of everything.
 * Not here: the opening handshake (upgraded-socket.ts) and what is written (framed-socket.ts).
 */
const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const
/** Two bytes, eight of length, four of mask. */
const MAX_HEADER_BYTES = 14
const MAX_CONTROL_BYTES = 125
const NOTHING = Buffer.alloc(0)

/** What the client did wrong, as a close code (RFC 6455, 7.4.1). */
export class FrameError extends Error {
  override readonly name = 'FrameError'
  readonly code: number

  constructor(code: 1002 | 1003 | 1009, message: string) {
    super(message)
    this.code = code
  }
}

export interface FrameEvents {
  /** `headroom` bytes in front of the chunk may be overwritten. */
  data(chunk: Uint8Array, headroom: number): void
  ping(payload: Uint8Array): void
  /** 1005: the frame named no code. */
  close(code: number): void
}

export class FrameReader {
  readonly #events: FrameEvents
  readonly #header = Buffer.alloc(MAX_HEADER_BYTES)
  #headerBytes = 0
  #neededBytes = 2
  readonly #mask = new Uint8Array(4)
  #opcode: number = OPCODE.binary
  #isFinal = true
  /** Of the payload, how much is to come and how much has come. */
  #left = -1
  #read = 0
  #control = NOTHING
  /** A message whose last frame has not come. */
  #isInMessage = false
  #isClosed = false

  constructor(events: FrameEvents) {
    this.#events = events
  }

  /** @throws FrameError. What comes after a close frame is ignored. */
  receive(chunk: Buffer): void {
    let offset = 0
    while (offset < chunk.length && !this.#isClosed) {
      if (this.#left < 0) {
        const before = offset
        offset = this.#readHeader(chunk, offset)
        // A header that lies wholly in this chunk has been read, and is free.
        if (this.#left >= 0) offset = this.#readPayload(chunk, offset, this.#headerBytes === offset - before ? offset - before : 0)
      } else {
        offset = this.#readPayload(chunk, offset, 0)
      }
    }
  }

  #readHeader(chunk: Buffer, start: number): number {
    let offset = start
    while (this.#headerBytes < this.#neededBytes) {
      const taken = chunk.copy(this.#header, this.#headerBytes, offset, offset + this.#neededBytes - this.#headerBytes)
      if (taken === 0) return offset
      this.#headerBytes += taken
      offset += taken
      if (this.#headerBytes === 2) this.#neededBytes = this.#headerLength()
    }
    this.#begin()
    return offset
  }

  /** The first two bytes say how long the header is, and whether the frame may be at all. */
  #headerLength(): number {
    const [first = 0, second = 0] = this.#header
    this.#isFinal = (first & 0x80) !== 0
    this.#opcode = first & 0x0f
    const length = second & 0x7f
    if ((first & 0x70) !== 0) throw new FrameError(1002, 'a reserved bit is set')
    if ((second & 0x80) === 0) throw new FrameError(1002, 'a client must mask its frames')
    if (this.#isControl) {
      if (this.#opcode > OPCODE.pong) throw new FrameError(1002, `opcode ${this.#opcode} is unknown`)
      if (!this.#isFinal || length > MAX_CONTROL_BYTES) throw new FrameError(1002, 'a control frame is long or in parts')
    } else {
      if (this.#opcode === OPCODE.text) throw new FrameError(1003, 'libp2p speaks binary frames only')
      if (this.#opcode > OPCODE.binary) throw new FrameError(1002, `opcode ${this.#opcode} is unknown`)
      if (this.#isInMessage !== (this.#opcode === OPCODE.continuation))
        throw new FrameError(1002, 'a message begins inside another, or goes on without one')
    }
    return 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + 4
  }

  #begin(): void {
    const length = (this.#header[1] ?? 0) & 0x7f
    this.#left = length === 126 ? this.#header.readUInt16BE(2) : length === 127 ? this.#longLength() : length
    this.#read = 0
    this.#header.copy(this.#mask, 0, this.#headerBytes - 4, this.#headerBytes)
    if (this.#isControl) this.#control = this.#left === 0 ? NOTHING : Buffer.alloc(this.#left)
    else this.#isInMessage = !this.#isFinal
  }

  #longLength(): number {
    const length = this.#header.readBigUInt64BE(2)
    if (length > BigInt(Number.MAX_SAFE_INTEGER)) throw new FrameError(1009, 'a frame is too long')
    return Number(length)
  }

  #readPayload(chunk: Buffer, offset: number, headroom: number): number {
    const end = Math.min(chunk.length, offset + this.#left)
    const payload = chunk.subarray(offset, end)
    unmask(payload, this.#mask, this.#read)
    if (this.#isControl) payload.copy(this.#control, this.#read)
    this.#left -= payload.length
    this.#read += payload.length
    const isWhole = this.#left === 0
    if (isWhole) {
      // Before anybody is told: whoever is told may be called again.
      this.#left = -1
      this.#headerBytes = 0
      this.#neededBytes = 2
    }
    if (!this.#isControl) {
      if (payload.length > 0) this.#events.data(payload, headroom)
    } else if (isWhole) {
      this.#onControl(this.#control)
    }
    return end
  }

  #onControl(payload: Buffer): void {
    if (this.#opcode === OPCODE.ping) this.#events.ping(payload)
    if (this.#opcode !== OPCODE.close) return
    if (payload.length === 1) throw new FrameError(1002, 'half a close code')
    this.#isClosed = true
    this.#events.close(payload.length === 0 ? 1005 : payload.readUInt16BE(0))
  }

  get #isControl(): boolean {
    return this.#opcode >= OPCODE.close
  }
}

/** Below this, making a view of words costs more than it saves. */
const MIN_WORDS_BYTES = 64

/** XORs in place. @param at how many bytes of the payload came before, because the mask goes round in fours (RFC 6455, 5.3) */
function unmask(payload: Uint8Array, mask: Uint8Array, at: number): void {
  const { length, buffer, byteOffset } = payload
  if (length < MIN_WORDS_BYTES) {
    xorBytes(payload, mask, at, 0, length)
    return
  }
  const first = -byteOffset & 3
  const words = new Int32Array(buffer, byteOffset + first, (length - first) >> 2)
  const word = new Int32Array(Uint8Array.from([0, 1, 2, 3], (i) => mask[(at + first + i) & 3] ?? 0).buffer)[0] ?? 0
  for (let i = 0; i < words.length; i++) words[i] = (words[i] ?? 0) ^ word
  xorBytes(payload, mask, at, 0, first)
  xorBytes(payload, mask, at, first + words.length * 4, length)
}

function xorBytes(payload: Uint8Array, mask: Uint8Array, at: number, from: number, to: number): void {
  for (let i = from; i < to; i++) payload[i] = (payload[i] ?? 0) ^ (mask[(at + i) & 3] ?? 0)
}
