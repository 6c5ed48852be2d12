/**
 * One bidirectional stream of a WebTransport session as a libp2p stream: FIN closes the writing side, STOP_SENDING the reading side, RESET_STREAM aborts.
 * Backpressure both ways: nothing is read while the stream is paused, and `send` returns false while the remote does not take what was written.
 * Not here: opening and accepting (webtransport-muxer.ts). The comments on what the native side cannot do at once refer to binding.ts.
 */
import type { AbortOptions, Logger, MessageStreamDirection } from '@libp2p/interface'
import { AbstractStream, type SendResult } from '@libp2p/utils'
import { raceSignal } from 'race-signal'
import { Uint8ArrayList } from 'uint8arraylist'
import type { NativeRecv, NativeSend, NativeStream } from './binding.ts'

/** Bytes on their way to the native side at which the writer is told to wait; below that lie its own send buffer and the remote's window. */
const HIGH_WATER_BYTES = 256 * 1024
const LOW_WATER_BYTES = HIGH_WATER_BYTES / 2
/** One crossing into the native side costs tens of microseconds: large enough to be rare, small enough that a reset soon has its turn. */
const MAX_CHUNK_BYTES = 64 * 1024
/** Bytes that wait for a first listener before reading stops; libp2p resets a stream at 4 MiB. */
const MAX_UNHEARD_BYTES = 256 * 1024
/** The specification leaves application codes to the application, and libp2p has none. */
const NO_CODE = 0
/** A reset waits behind a write that the remote's window holds up. A remote that leaves it there for so long gives up its whole connection. */
const RESET_DEADLINE_MS = 10_000

export interface WebTransportStreamInit {
  readonly stream: NativeStream
  readonly id: string
  readonly direction: MessageStreamDirection
  readonly log: Logger
  /** Something came from the remote. */
  readonly onHeard?: () => void
  /** The remote can neither be written to nor told that it is over. */
  readonly onStuck?: (error: Error) => void
}

export class WebTransportStream extends AbstractStream {
  readonly #send: NativeSend
  readonly #recv: NativeRecv
  readonly #outgoing = new Uint8ArrayList()
  readonly #onHeard: () => void
  readonly #onStuck: (error: Error) => void
  #isWriting = false
  #isReading = false
  #hasEnded = false
  #waitsForDrain = false
  #whenFlushed: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined

  constructor({ stream, id, direction, log, onHeard = () => {}, onStuck = () => {} }: WebTransportStreamInit) {
    super({ id, direction, log: log.newScope(`${direction}:${id}`) })
    this.#send = stream.takeSend()
    this.#recv = stream.takeRecv()
    this.#onHeard = onHeard
    this.#onStuck = onStuck
    void this.#read()
  }

  override sendData(data: Uint8ArrayList): SendResult {
    const { byteLength } = data
    this.#outgoing.append(data)
    void this.#write()
    this.#waitsForDrain = this.#outgoing.byteLength >= HIGH_WATER_BYTES
    return { sentBytes: byteLength, canSendMore: !this.#waitsForDrain }
  }

  override async sendCloseWrite(options?: AbortOptions): Promise<void> {
    if (this.#isWriting) {
      this.#whenFlushed ??= Promise.withResolvers()
      await raceSignal(this.#whenFlushed.promise, options?.signal)
    }
    await this.#send.finish().catch(ignore)
  }

  override async sendCloseRead(): Promise<void> {
    // A read that waits would keep the stop waiting: it is sent when the remote sends again, which is when it matters.
    if (!this.#isReading) await this.#stop()
  }

  override sendReset(): void {
    this.#outgoing.consume(this.#outgoing.byteLength)
    const deadline = setTimeout(() => {
      this.#onStuck(new Error('the remote does not take a reset'))
    }, RESET_DEADLINE_MS).unref()
    void this.#send
      .reset(NO_CODE)
      .catch(ignore)
      .finally(() => {
        clearTimeout(deadline)
      })
    // While a read waits, our reset makes the remote end its side, and that ends the read.
    if (!this.#isReading) void this.#stop()
  }

  /** Only until the read that waits is over; what it brings is kept. */
  override sendPause(): void {}

  override sendResume(): void {
    void this.#read()
  }

  override onRemoteReset(): void {
    if (this.status !== 'open' && this.status !== 'closing') return
    this.sendReset()
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
      while (this.readStatus === 'readable' && this.readBufferLength < MAX_UNHEARD_BYTES) {
        const chunk = await this.#recv.read(MAX_CHUNK_BYTES)
        this.#onHeard()
        if (chunk === null) {
          this.#hasEnded = true
          this.onRemoteCloseWrite()
          return
        }
        this.onData(chunk)
      }
    } catch (error) {
      this.#hasEnded = true
      this.log('reading ended - %s', error)
      this.onRemoteReset()
    } finally {
      this.#isReading = false
    }
    // Whoever closed for reading meanwhile could not say so.
    if (!this.#hasEnded && (this.readStatus === 'closing' || this.readStatus === 'closed')) await this.#stop()
  }

  async #stop(): Promise<void> {
    if (this.#hasEnded) return
    this.#hasEnded = true
    await this.#recv.stop(NO_CODE).catch(ignore)
    // Nothing more will come that anybody hears.
    this.onRemoteCloseWrite()
  }

  /** One write at a time: two could arrive in either order. */
  async #write(): Promise<void> {
    if (this.#isWriting) return
    this.#isWriting = true
    try {
      while (this.#outgoing.byteLength > 0) {
        const chunk = this.#outgoing.subarray(0, Math.min(MAX_CHUNK_BYTES, this.#outgoing.byteLength))
        this.#outgoing.consume(chunk.byteLength)
        await this.#send.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
        if (this.#waitsForDrain && this.#outgoing.byteLength <= LOW_WATER_BYTES) this.#drained()
      }
    } catch (error) {
      this.#outgoing.consume(this.#outgoing.byteLength)
      if (String(error).includes('STOP_SENDING')) this.#stopped()
      else this.onRemoteReset()
    } finally {
      this.#isWriting = false
      this.#whenFlushed?.resolve()
    }
  }

  /** The remote reads no more. libp2p has no event for it, so who still writes is let go on: it goes nowhere. */
  #stopped(): void {
    this.onRemoteCloseRead()
    this.#drained()
  }

  #drained(): void {
    this.#waitsForDrain = false
    this.safeDispatchEvent('drain')
  }
}

function ignore(): void {}
