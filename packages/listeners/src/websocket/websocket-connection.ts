/**
 * One accepted WebSocket as a libp2p MultiaddrConnection and as a byte link, with backpressure both ways and an abort that really closes the socket.
 * The stock @libp2p/websockets aborts with close code 1006, which is illegal and ignored (the socket stays), never pauses the sender and polls for drain.
 * Not here: who may come in and how many (websocket-listener.ts), frames (framed-socket.ts).
 */
import type { ByteLink, LinkReader } from '@footbridge/links/byte-link'
import type { AbortOptions, Logger } from '@libp2p/interface'
import { AbstractMultiaddrConnection, type SendResult } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Uint8ArrayList } from 'uint8arraylist'
import { WebSocketCloseError } from './close-error.ts'
import type { FramedSocket } from './framed-socket.ts'

/** Bytes waiting in the socket at which the writer is told to wait. More only adds delay, for control frames above all. */
const HIGH_WATER_BYTES = 256 * 1024
/** Bytes waiting below which the writer may go on; half, so that the socket never runs dry between. */
const LOW_WATER_BYTES = HIGH_WATER_BYTES / 2
/** Bytes of one message: below the 1 MiB that many servers and proxies take, above the 64 KiB of a noise record so that a batch costs one header. */
const MAX_MESSAGE_BYTES = 256 * 1024
/** How long a polite close may take before the socket is cut. */
const CLOSE_DEADLINE_MS = 1_000
/** How long the close frame of an abort has to leave; nothing that arrives meanwhile is looked at. */
const LAST_WORDS_MS = 200

export interface WebSocketConnectionInit {
  readonly socket: FramedSocket
  readonly remoteAddr: Multiaddr
  readonly log: Logger
  /** The socket is gone. */
  readonly onClosed: () => void
}

export class WebSocketConnection extends AbstractMultiaddrConnection implements ByteLink {
  readonly #socket: FramedSocket
  readonly #gone = Promise.withResolvers<void>()
  #reader: LinkReader | undefined
  #waitsForDrain = false

  constructor({ socket, remoteAddr, log, onClosed }: WebSocketConnectionInit) {
    super({ remoteAddr, log, direction: 'inbound' })
    this.#socket = socket
    socket.start({
      data: (chunk, headroom) => {
        if (this.#reader === undefined) this.onData(chunk)
        else this.#reader(chunk, headroom)
      },
      closed: (code) => {
        this.#gone.resolve()
        onClosed()
        if (this.status !== 'open' && this.status !== 'closing') return
        if (code === 1006) this.onRemoteReset()
        else this.onTransportClosed()
      },
    })
  }

  attach(reader: LinkReader): void {
    this.#reader = reader
    const waiting = this.readBuffer.slice()
    this.readBuffer.consume(waiting.length)
    if (waiting.length > 0) reader(waiting, 0)
  }

  write(pieces: readonly Uint8Array[], gone?: (piece: Uint8Array) => void): boolean {
    for (const piece of pieces) this.#send(piece, gone)
    this.#waitsForDrain = this.#socket.bufferedAmount >= HIGH_WATER_BYTES
    // close() waits for this.
    this.writableNeedsDrain = this.#waitsForDrain
    return !this.#waitsForDrain
  }

  override sendData(data: Uint8ArrayList): SendResult {
    this.#send(data.subarray())
    this.#waitsForDrain = this.#socket.bufferedAmount >= HIGH_WATER_BYTES
    return { sentBytes: data.byteLength, canSendMore: !this.#waitsForDrain }
  }

  #send(piece: Uint8Array, gone?: (piece: Uint8Array) => void): void {
    for (let offset = 0; offset < piece.length; offset += MAX_MESSAGE_BYTES) {
      const isLast = offset + MAX_MESSAGE_BYTES >= piece.length
      const message = piece.length <= MAX_MESSAGE_BYTES ? piece : piece.subarray(offset, offset + MAX_MESSAGE_BYTES)
      this.#socket.send(message, (error) => {
        if (isLast && !error) gone?.(piece)
        this.#onWritten()
      })
    }
  }

  /** Runs when the kernel took a message, which is the moment the buffer shrank: no polling. */
  readonly #onWritten = (): void => {
    if (!this.#waitsForDrain || this.#socket.bufferedAmount > LOW_WATER_BYTES) return
    this.#waitsForDrain = false
    this.safeDispatchEvent('drain')
  }

  override sendReset(error: Error): void {
    const socket = this.#socket
    if (!(error instanceof WebSocketCloseError)) {
      socket.terminate()
      return
    }
    const cut = setTimeout(() => {
      socket.terminate()
    }, LAST_WORDS_MS)
    void this.#gone.promise.then(() => {
      clearTimeout(cut)
    })
    socket.close(error.code, error.message)
    // A paused socket would never read the other side's answer.
    socket.resume()
  }

  override async sendClose(options?: AbortOptions): Promise<void> {
    const socket = this.#socket
    const cut = (): void => {
      socket.terminate()
    }
    const deadline = setTimeout(cut, CLOSE_DEADLINE_MS)
    options?.signal?.addEventListener('abort', cut)
    socket.close(1000)
    // A paused socket would never read the other side's answer.
    socket.resume()
    if (options?.signal?.aborted === true) cut()
    await this.#gone.promise
    clearTimeout(deadline)
    options?.signal?.removeEventListener('abort', cut)
  }

  override sendPause(): void {
    this.#socket.pause()
  }

  override sendResume(): void {
    this.#socket.resume()
  }
}
