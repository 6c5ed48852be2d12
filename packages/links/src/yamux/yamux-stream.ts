/**
 * One yamux stream. To libp2p it is an ordinary stream; a relay can also `divert` it: bytes then go from hand to hand, the window opens only by `credit`,
 * and `forward` takes what must wait, so that a window is all the memory that a stream costs, whatever the two ends do.
 *
 * Flow control, both ways of use: the remote may send what the window allows, and gets it back when the bytes have left us, not when they arrived.
 * Not here: frames and their order on the connection (yamux-muxer.ts).
 */
import type { AbortOptions, Logger } from '@libp2p/interface'
import { AbstractStream, type SendResult } from '@libp2p/utils'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { LinkReader } from '../byte-link.ts'
import type { DirectStream } from '../direct-stream.ts'
import { ByteQueue } from '../byte-queue.ts'
import { FLAG, INITIAL_WINDOW_BYTES, MAX_DATA_BYTES } from './frame.ts'

/** A window is opened again in steps of this: small enough never to run dry, large enough that updates cost nothing. */
const CREDIT_STEP_BYTES = 64 * 1024

/** What a stream asks of its muxer. */
export interface FrameSender {
  /** May more data be sent now? Control frames always may. */
  readonly hasRoom: boolean
  sendData(stream: YamuxStream, flags: number, data: Uint8Array, headroom: number): void
  sendWindowUpdate(stream: YamuxStream, flags: number, bytes: number): void
  /** Asks to be called by `pump` when there is room, in turn with the others. */
  wait(stream: YamuxStream): void
  /** Asks for a 'drain' event when there is room. */
  waitForDrain(stream: YamuxStream): void
}

export interface YamuxStreamInit {
  readonly streamId: number
  readonly direction: 'inbound' | 'outbound'
  readonly sender: FrameSender
  readonly log: Logger
}

export class YamuxStream extends AbstractStream implements DirectStream {
  readonly streamId: number
  readonly #sender: FrameSender
  /** Bytes that may be sent. */
  #sendWindow = INITIAL_WINDOW_BYTES
  /** Bytes that the remote may send. */
  #receiveWindow = INITIAL_WINDOW_BYTES
  /** Bytes that have left us and are not given back to the remote yet. */
  #owed = 0
  /** Given back already when they were read, though they came back unread. */
  #prepaid = 0
  #opening: 'syn' | 'ack' | undefined
  #reader: LinkReader | undefined
  onForwarded: ((bytes: number) => void) | undefined
  readonly #waiting = new ByteQueue()

  constructor({ streamId, direction, sender, log }: YamuxStreamInit) {
    super({ id: String(streamId), direction, log })
    this.streamId = streamId
    this.#sender = sender
    this.#opening = direction === 'outbound' ? 'syn' : 'ack'
  }

  /** Bytes that wait in `forward`. */
  get waitingBytes(): number {
    return this.#waiting.length
  }

  divert(reader: LinkReader): void {
    this.#reader = reader
    const rest = this.readBuffer.slice()
    this.readBuffer.consume(rest.length)
    if (rest.length === 0) return
    // Part of it may have been read before, given back, and put back unread.
    const unpaid = Math.min(this.#owed, rest.length)
    this.#owed -= unpaid
    this.#prepaid += rest.length - unpaid
    reader(rest, 0)
  }

  credit(bytes: number): void {
    const prepaid = Math.min(this.#prepaid, bytes)
    this.#prepaid -= prepaid
    this.#owed += bytes - prepaid
    if (this.#owed >= CREDIT_STEP_BYTES && this.remoteWriteStatus === 'writable' && this.status === 'open') {
      this.#receiveWindow += this.#owed
      this.#sender.sendWindowUpdate(this, this.takeFlags(), this.#owed)
      this.#owed = 0
    }
  }

  forward(bytes: Uint8Array, headroom: number): void {
    if (this.writeStatus !== 'writable') return
    if (this.#waiting.length === 0 && this.#sendWindow >= bytes.length && bytes.length <= MAX_DATA_BYTES && this.#sender.hasRoom) {
      this.#send(bytes, headroom)
      this.onForwarded?.(bytes.length)
      return
    }
    this.#waiting.push(bytes)
    if (this.#sendWindow > 0) this.#sender.wait(this)
  }

  /** Sends one frame of what waits. @returns whether there is more that the window allows. */
  pump(): boolean {
    const bytes = this.#waiting.take(Math.min(MAX_DATA_BYTES, this.#sendWindow))
    if (bytes.length === 0) return false
    this.#send(bytes, 0)
    this.onForwarded?.(bytes.length)
    return this.#waiting.length > 0 && this.#sendWindow > 0
  }

  /** A data frame was announced. @throws when it is more than the window. */
  expectData(bytes: number): void {
    if (bytes > this.#receiveWindow) throw new Error('the remote sent more than the window allows')
    this.#receiveWindow -= bytes
  }

  receiveData(piece: Uint8Array, headroom: number): void {
    if (this.#reader !== undefined) {
      this.#reader(piece, headroom)
      return
    }
    this.#owed += piece.length
    // A few bytes of a large buffer must not keep it. Not slice(): a Buffer's is a view.
    this.onData(piece.length * 4 < piece.buffer.byteLength ? new Uint8Array(piece) : piece)
    // Nobody reads any more: what arrives is dropped, and the remote must not wait for us.
    if (this.readStatus === 'closing' || this.readStatus === 'closed') this.credit(0)
  }

  receiveWindowUpdate(bytes: number): void {
    this.#sendWindow += bytes
    if (this.#waiting.length > 0) this.#sender.wait(this)
    if (this.writableNeedsDrain) this.#sender.waitForDrain(this)
  }

  get canSend(): boolean {
    return this.#sendWindow > 0
  }

  /** The flag with which a stream's first frame opens or accepts it. */
  takeFlags(): number {
    const flags = this.#opening === 'syn' ? FLAG.syn : this.#opening === 'ack' ? FLAG.ack : 0
    this.#opening = undefined
    return flags
  }

  get isOpening(): boolean {
    return this.#opening === 'syn'
  }

  override sendData(data: Uint8ArrayList): SendResult {
    const bytes = data.subarray()
    let sentBytes = 0
    while (sentBytes < bytes.length && this.#sendWindow > 0 && this.#sender.hasRoom) {
      const piece = bytes.subarray(sentBytes, sentBytes + Math.min(MAX_DATA_BYTES, this.#sendWindow))
      this.#send(piece, 0)
      sentBytes += piece.length
    }
    const canSendMore = sentBytes === bytes.length && this.#sender.hasRoom
    if (!canSendMore) this.#sender.waitForDrain(this)
    return { sentBytes, canSendMore }
  }

  override sendReset(): void {
    this.#waiting.clear()
    this.#sender.sendWindowUpdate(this, this.takeFlags() | FLAG.rst, 0)
  }

  override onRemoteReset(): void {
    this.#waiting.clear()
    super.onRemoteReset()
  }

  override async sendCloseWrite(): Promise<void> {
    this.#sender.sendWindowUpdate(this, this.takeFlags() | FLAG.fin, 0)
  }

  override async sendCloseRead(options?: AbortOptions): Promise<void> {
    options?.signal?.throwIfAborted()
  }

  override sendPause(): void {}

  override sendResume(): void {}

  /** Runs whenever something may be read: on arrival, for a first listener, after a pause. What nobody took is not given back. */
  protected override dispatchReadBuffer(): void {
    super.dispatchReadBuffer()
    if (this.readBuffer.byteLength === 0 && this.#reader === undefined) this.credit(0)
  }

  #send(bytes: Uint8Array, headroom: number): void {
    this.#sendWindow -= bytes.length
    this.#sender.sendData(this, this.takeFlags(), bytes, headroom)
  }
}
