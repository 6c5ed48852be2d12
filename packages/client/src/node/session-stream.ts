/**
 * One bidirectional stream of a browser's WebTransport session as a libp2p stream, with backpressure both ways: nothing is read while the stream is paused,
 * and `send` returns false while the browser holds back what was written. Stock streams of @libp2p/webtransport 6 end at the first `resume` (pitfall A5.3).
 * Not here: opening and accepting (session-muxer.ts).
 */
import type { AbortOptions, Logger, MessageStreamDirection } from '@libp2p/interface'
import { AbstractStream, type SendResult } from '@libp2p/utils'
import { raceSignal } from 'race-signal'
import type { Uint8ArrayList } from 'uint8arraylist'

/** Bytes handed to the browser and not yet taken by QUIC, at which the writer is told to wait. */
const HIGH_WATER_BYTES = 256 * 1024
const LOW_WATER_BYTES = HIGH_WATER_BYTES / 2
/** Bytes that wait for a first listener before reading stops; libp2p resets a stream at 4 MiB. */
const MAX_UNHEARD_BYTES = 256 * 1024

export interface SessionStreamInit {
  readonly stream: WebTransportBidirectionalStream
  readonly id: string
  readonly direction: MessageStreamDirection
  readonly log: Logger
  /** Something came. */
  readonly onHeard: () => void
}

export class SessionStream extends AbstractStream {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #onHeard: () => void
  #unsentBytes = 0
  #waitsForDrain = false
  #isReading = false
  #hasEnded = false

  constructor({ stream, id, direction, log, onHeard }: SessionStreamInit) {
    super({ id, direction, log: log.newScope(`${direction}:${id}`) })
    this.#writer = (stream.writable as WritableStream<Uint8Array>).getWriter()
    this.#reader = (stream.readable as ReadableStream<Uint8Array>).getReader()
    this.#onHeard = onHeard
    // STOP_SENDING, a reset and the end of the session all come here; which it was, the reading side tells.
    this.#writer.closed.catch(() => this.#writingFailed())
    void this.#read()
  }

  override sendData(data: Uint8ArrayList): SendResult {
    const { byteLength } = data
    this.#unsentBytes += byteLength
    for (const part of data) this.#writer.write(part).then(() => this.#written(part.byteLength), ignore)
    this.#waitsForDrain = this.#unsentBytes >= HIGH_WATER_BYTES
    return { sentBytes: byteLength, canSendMore: !this.#waitsForDrain }
  }

  override async sendCloseWrite(options?: AbortOptions): Promise<void> {
    await raceSignal(this.#writer.close().catch(ignore), options?.signal)
  }

  override async sendCloseRead(options?: AbortOptions): Promise<void> {
    this.#hasEnded = true
    await raceSignal(this.#reader.cancel().catch(ignore), options?.signal)
    // Nothing more will come that anybody hears.
    this.onRemoteCloseWrite()
  }

  override sendReset(error: Error): void {
    this.#hasEnded = true
    this.#writer.abort(error).catch(ignore)
    this.#reader.cancel(error).catch(ignore)
  }

  /** Only until the read that waits is over; what it brings is kept. */
  override sendPause(): void {}

  override sendResume(): void {
    void this.#read()
  }

  override onRemoteReset(): void {
    if (this.status !== 'open' && this.status !== 'closing') return
    this.sendReset(new Error('the remote reset the stream'))
    super.onRemoteReset()
  }

  /** Called with the first listener too: then there is room again. */
  protected override dispatchReadBuffer(): void {
    super.dispatchReadBuffer()
    void this.#read()
  }

  async #read(): Promise<void> {
    if (this.#isReading || this.#hasEnded) return
    this.#isReading = true
    try {
      while (!this.#hasEnded && this.readStatus === 'readable' && this.readBufferLength < MAX_UNHEARD_BYTES) {
        const { value, done } = await this.#reader.read()
        this.#onHeard()
        if (done) {
          this.#hasEnded = true
          this.onRemoteCloseWrite()
        } else this.onData(value)
      }
    } catch (error) {
      this.#hasEnded = true
      this.log('reading ended - %s', error)
      this.onRemoteReset()
    } finally {
      this.#isReading = false
    }
  }

  #written(bytes: number): void {
    this.#unsentBytes -= bytes
    if (this.#waitsForDrain && this.#unsentBytes <= LOW_WATER_BYTES) this.#drained()
  }

  /** The remote reads no more. libp2p has no event for it, so who still writes is let go on: it goes nowhere. */
  #writingFailed(): void {
    this.#unsentBytes = 0
    this.onRemoteCloseRead()
    if (this.#waitsForDrain) this.#drained()
  }

  #drained(): void {
    this.#waitsForDrain = false
    this.safeDispatchEvent('drain')
  }
}

function ignore(): void {}
