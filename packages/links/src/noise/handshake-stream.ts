/**
 * What the stock handshake reads and writes: the connection, until the handshake has its keys. What arrives afterwards is kept for whoever opens records.
 * Not here: the handshake (@libp2p/noise) and the records (sealed-stream.ts).
 */
import type { AbortOptions, MessageStream } from '@libp2p/interface'
import { AbstractMessageStream, type SendResult } from '@libp2p/utils'
import { Uint8ArrayList } from 'uint8arraylist'

export class HandshakeStream extends AbstractMessageStream {
  readonly #stream: MessageStream
  /** Read by the handshake and not needed by it. */
  readonly #unread = new Uint8ArrayList()
  /** Arrived after the handshake had read all that it wanted. */
  readonly #late = new Uint8ArrayList()
  #isOver = false

  constructor(stream: MessageStream) {
    super({ log: stream.log, inactivityTimeout: stream.inactivityTimeout, direction: stream.direction })
    this.#stream = stream
    stream.addEventListener('close', this.#onClose)
    stream.addEventListener('drain', this.#onDrain)
  }

  readonly #onClose = (): void => {
    this.onRemoteReset()
  }

  readonly #onDrain = (): void => {
    this.safeDispatchEvent('drain')
  }

  receive(chunk: Uint8Array): void {
    if (this.#isOver) this.#late.append(chunk)
    else this.onData(chunk)
  }

  /** The handshake has read its last message. */
  finish(): void {
    this.#isOver = true
  }

  /** Ends it. @returns what belongs to the records that follow. */
  takeRest(): Uint8Array {
    this.#stream.removeEventListener('close', this.#onClose)
    this.#stream.removeEventListener('drain', this.#onDrain)
    return new Uint8ArrayList(this.#unread, this.#late).slice()
  }

  /** Called by the handshake with what it read too much. */
  override unshift(data: Uint8Array | Uint8ArrayList): void {
    this.#unread.append(data)
  }

  override sendData(data: Uint8ArrayList): SendResult {
    return { sentBytes: data.byteLength, canSendMore: this.#stream.send(data) }
  }

  override sendReset(error: Error): void {
    this.#stream.abort(error)
  }

  override sendPause(): void {}

  override sendResume(): void {}

  override close(options?: AbortOptions): Promise<void> {
    return this.#stream.close(options)
  }
}
