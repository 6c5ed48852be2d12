/**
 * A connection after the noise handshake: records of `length (2 bytes, big-endian) | ciphertext | tag (16 bytes)`, at most 65 535 bytes after the length,
 * with a counter for the nonce (libp2p noise specification, "Wire format").
 * Opens in place and seals into one buffer per write: many short pieces share a record, a long one is sealed from where it lies.
 * Not here: how the keys came to be (noise.ts).
 */
import type { AbortOptions, MessageStream } from '@libp2p/interface'
import { AbstractMessageStream, type SendResult } from '@libp2p/utils'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { ByteLink, LinkReader } from '../byte-link.ts'
import { TAG_BYTES, type Aead } from './aead.ts'
import type { BufferPool } from './buffer-pool.ts'
import { Nonce } from './nonce.ts'
import { LENGTH_BYTES, PartialRecord } from './partial-record.ts'

const MAX_PLAIN_BYTES = 65_535 - TAG_BYTES
/** Pieces of this length are sealed from where they lie; below, copying costs less than a record of their own. */
const LONG_PIECE_BYTES = 4 * 1024

export interface SealedStreamInit {
  readonly stream: MessageStream
  readonly link: ByteLink
  readonly aead: Aead
  readonly pool: BufferPool
  readonly sendKey: Uint8Array
  readonly receiveKey: Uint8Array
}

export class SealedStream extends AbstractMessageStream implements ByteLink {
  readonly #stream: MessageStream
  readonly #link: ByteLink
  readonly #aead: Aead
  readonly #pool: BufferPool
  readonly #sendKey: Uint8Array
  readonly #receiveKey: Uint8Array
  readonly #sendNonce = new Nonce()
  readonly #receiveNonce = new Nonce()
  #reader: LinkReader | undefined
  readonly #partial = new PartialRecord()

  constructor({ stream, link, aead, pool, sendKey, receiveKey }: SealedStreamInit) {
    super({ log: stream.log, inactivityTimeout: stream.inactivityTimeout, direction: stream.direction ?? 'inbound' })
    this.#stream = stream
    this.#link = link
    this.#aead = aead
    this.#pool = pool
    this.#sendKey = sendKey
    this.#receiveKey = receiveKey
    stream.addEventListener('drain', () => {
      this.safeDispatchEvent('drain')
    })
    stream.addEventListener('remoteCloseWrite', () => {
      this.onRemoteCloseWrite()
    })
    stream.addEventListener('close', ({ error, local }) => {
      if (error === undefined) this.onTransportClosed()
      else if (local === true) this.abort(error)
      else this.onRemoteReset()
    })
  }

  /** Takes what arrived on the connection. Aborts it when a record is forged or misshapen. */
  receive(chunk: Uint8Array, headroom: number): void {
    // After a forged record those that follow would still open: nobody must see them.
    if (this.status !== 'open') return
    try {
      this.#open(chunk, headroom)
    } catch (error) {
      this.abort(error instanceof Error ? error : new Error('a record could not be opened'))
    }
  }

  attach(reader: LinkReader): void {
    this.#reader = reader
    const waiting = this.readBuffer.slice()
    this.readBuffer.consume(waiting.length)
    if (waiting.length > 0) reader(waiting, 0)
  }

  write(pieces: readonly Uint8Array[]): boolean {
    return this.#link.write([this.#seal(pieces)], this.#pool.release)
  }

  override sendData(data: Uint8ArrayList): SendResult {
    return { sentBytes: data.byteLength, canSendMore: this.write([...data]) }
  }

  override sendReset(error: Error): void {
    this.#stream.abort(error)
  }

  override sendPause(): void {
    this.#stream.pause()
  }

  override sendResume(): void {
    this.#stream.resume()
  }

  override close(options?: AbortOptions): Promise<void> {
    return this.#stream.close(options)
  }

  #open(chunk: Uint8Array, headroom: number): void {
    let offset = this.#partial.length > 0 ? this.#complete(chunk) : 0
    let free = offset === 0 ? headroom : 0
    while (chunk.length - offset >= LENGTH_BYTES) {
      const length = ((chunk[offset] ?? 0) << 8) | (chunk[offset + 1] ?? 0)
      const start = offset + LENGTH_BYTES
      if (chunk.length - start < length) break
      const tagAt = start + length - TAG_BYTES
      if (length < TAG_BYTES) throw new Error('a noise record is shorter than its tag')
      this.#deliver(chunk.subarray(start, tagAt), chunk.subarray(tagAt, tagAt + TAG_BYTES), free + LENGTH_BYTES)
      offset = start + length
      // The tag just read is of no more use.
      free = TAG_BYTES
      if (this.status !== 'open') return
    }
    if (offset < chunk.length) this.#partial.begin(chunk.subarray(offset))
  }

  #complete(chunk: Uint8Array): number {
    const taken = this.#partial.add(chunk)
    const record = this.#partial.takeWhole()
    if (record !== undefined) this.#deliver(record.ciphertext, record.tag, 0)
    return taken
  }

  #deliver(ciphertext: Uint8Array, tag: Uint8Array, headroom: number): void {
    this.#aead.open(ciphertext, tag, this.#receiveNonce.next(), this.#receiveKey)
    if (this.#reader === undefined) this.onData(ciphertext)
    else if (ciphertext.length > 0) this.#reader(ciphertext, headroom)
  }

  /** One buffer with as few records as it takes. */
  #seal(pieces: readonly Uint8Array[]): Uint8Array {
    const plan = planRecords(pieces)
    const sealed = this.#pool.take(plan.reduce((sum, { bytes }) => sum + LENGTH_BYTES + bytes + TAG_BYTES, 0))
    let offset = 0
    for (const { bytes, parts } of plan) {
      const length = bytes + TAG_BYTES
      sealed[offset] = length >> 8
      sealed[offset + 1] = length & 0xff
      const start = offset + LENGTH_BYTES
      const record = sealed.subarray(start, start + length)
      this.#aead.seal(record, gather(parts, record), this.#sendNonce.next(), this.#sendKey)
      offset = start + length
    }
    return sealed
  }
}

interface PlannedRecord {
  bytes: number
  parts: Uint8Array[]
}

function planRecords(pieces: readonly Uint8Array[]): PlannedRecord[] {
  const records: PlannedRecord[] = []
  let open: PlannedRecord | undefined
  for (const piece of pieces) {
    for (let offset = 0; offset < piece.length;) {
      const room: number = open === undefined ? 0 : MAX_PLAIN_BYTES - open.bytes
      if (open === undefined || room === 0 || (piece.length - offset >= LONG_PIECE_BYTES && open.bytes >= LONG_PIECE_BYTES)) {
        open = { bytes: 0, parts: [] }
        records.push(open)
      }
      const part = piece.subarray(offset, offset + MAX_PLAIN_BYTES - open.bytes)
      open.parts.push(part)
      open.bytes += part.length
      offset += part.length
    }
  }
  return records
}

/** The parts as one: a single part where it lies, several copied to where they will be sealed. */
function gather(parts: readonly Uint8Array[], into: Uint8Array): Uint8Array {
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return only
  let offset = 0
  for (const part of parts) {
    into.set(part, offset)
    offset += part.length
  }
  return into.subarray(0, offset)
}
