/**
 * An accepted tunnel as a libp2p MultiaddrConnection: bytes go into the pipe and come out of it.
 * Not here: requests (tunnel.ts), who may come in and how many (tunnel-listener.ts).
 */
import type { AbortOptions, Logger } from '@libp2p/interface'
import { AbstractMultiaddrConnection, type SendResult } from '@libp2p/utils'
import { createBytePipe, PIPE_CLOSED, PIPE_RESET, type BytePipe } from '@footbridge/shared/tunnel/byte-pipe'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Uint8ArrayList } from 'uint8arraylist'
import { WebSocketCloseError } from '../websocket/close-error.ts'

/** How long what was written may take to arrive at a polite close. */
const CLOSE_DEADLINE_MS = 1_000

export interface TunnelConnectionInit {
  /** Ends in the /p2p/ of the peer that the tunnel was opened for: libp2p has Noise prove that one and no other. */
  readonly remoteAddr: Multiaddr
  readonly log: Logger
  /** There may be something to carry. */
  readonly onWork: () => void
}

export class TunnelConnection extends AbstractMultiaddrConnection {
  readonly pipe: BytePipe
  readonly #delivered = Promise.withResolvers<void>()

  constructor({ remoteAddr, log, onWork }: TunnelConnectionInit) {
    super({ remoteAddr, log, direction: 'inbound' })
    this.pipe = createBytePipe({
      onBytes: (bytes) => this.onData(bytes),
      onDrain: () => this.safeDispatchEvent('drain'),
      onEnd: ({ code }) => this.#ended(code),
      onWork,
    })
  }

  /** To be called when frames were applied: wakes whoever waits for the other side to have everything. */
  applied(): void {
    if (this.pipe.isDelivered || this.pipe.isOver) this.#delivered.resolve()
  }

  #ended(code: number): void {
    if (this.status !== 'open' && this.status !== 'closing') return
    if (code === PIPE_CLOSED) this.onTransportClosed()
    else this.onRemoteReset()
  }

  override sendData(data: Uint8ArrayList): SendResult {
    const { byteLength } = data
    return { sentBytes: byteLength, canSendMore: this.pipe.write(data) }
  }

  override sendReset(error: Error): void {
    this.pipe.cut(
      error instanceof WebSocketCloseError
        ? { code: error.code, reason: error.message }
        : { code: PIPE_RESET, reason: 'the connection was cut' },
    )
    this.applied()
  }

  override async sendClose(options?: AbortOptions): Promise<void> {
    this.pipe.finish()
    this.applied()
    const deadline = AbortSignal.any([AbortSignal.timeout(CLOSE_DEADLINE_MS), ...(options?.signal ? [options.signal] : [])])
    deadline.addEventListener('abort', () => this.#delivered.resolve(), { once: true })
    await this.#delivered.promise
  }

  override sendPause(): void {
    this.pipe.pause()
  }

  override sendResume(): void {
    this.pipe.resume()
  }
}
