/**
 * An open tunnel as a libp2p MultiaddrConnection of the client: bytes go into the pipe, requests carry it.
 * Not here: opening (tunnel-transport.ts), what each request does (uplink.ts, downlink.ts).
 */
import type { AbortOptions, Logger } from '@libp2p/interface'
import { AbstractMultiaddrConnection, type SendResult } from '@libp2p/utils'
import { createBytePipe, PIPE_CLOSED, PIPE_RESET, type BytePipe } from '@footbridge/shared/tunnel/byte-pipe'
import type { TunnelFrame } from '@footbridge/shared/wire/tunnel-frame'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Uint8ArrayList } from 'uint8arraylist'
import { createDownlink, type Downlink } from './downlink.ts'
import type { TunnelRequests } from './tunnel-requests.ts'
import { createUplink, type Uplink } from './uplink.ts'

/** How long what was written may take to arrive at a polite close. */
const CLOSE_DEADLINE_MS = 2_000

export interface TunnelConnectionInit {
  readonly requests: TunnelRequests
  readonly remoteAddr: Multiaddr
  readonly log: Logger
  readonly now: () => number
  readonly random: () => number
}

export class TunnelConnection extends AbstractMultiaddrConnection {
  readonly #pipe: BytePipe
  readonly #uplink: Uplink
  readonly #downlink: Downlink
  readonly #stop = new AbortController()
  readonly #delivered = Promise.withResolvers<void>()

  constructor({ requests, remoteAddr, log, now, random }: TunnelConnectionInit) {
    super({ remoteAddr, log, direction: 'outbound' })
    this.#pipe = createBytePipe({
      onBytes: (bytes) => this.onData(bytes),
      onDrain: () => this.safeDispatchEvent('drain'),
      onEnd: ({ code }) => this.#ended(code),
      onWork: () => this.#uplink.work(),
    })
    this.#pipe.apply({ type: 'flow', received: 0, limit: requests.limit })
    const parts = {
      pipe: this.#pipe,
      requests,
      apply: (frames: readonly TunnelFrame[]) => this.#apply(frames),
      onFailure: (error: Error) => this.abort(error),
      signal: this.#stop.signal,
      now,
      random,
    }
    this.#uplink = createUplink(parts)
    this.#downlink = createDownlink({ ...parts, onHeard: () => this.#uplink.heard() })
  }

  /** How bytes come down at the moment; for the log and the check-up. */
  get downlinkMode(): Downlink['mode'] {
    return this.#downlink.mode
  }

  #apply(frames: readonly TunnelFrame[]): void {
    try {
      for (const frame of frames) this.#pipe.apply(frame)
    } catch (error) {
      this.abort(error instanceof Error ? error : new Error('the bridge broke the protocol'))
    }
    if (this.#pipe.isDelivered || this.#pipe.isOver) this.#delivered.resolve()
  }

  #ended(code: number): void {
    this.#stop.abort()
    if (this.status !== 'open' && this.status !== 'closing') return
    if (code === PIPE_CLOSED) this.onTransportClosed()
    else this.onRemoteReset()
  }

  override sendData(data: Uint8ArrayList): SendResult {
    const { byteLength } = data
    return { sentBytes: byteLength, canSendMore: this.#pipe.write(data) }
  }

  override sendReset(): void {
    this.#delivered.resolve()
    if (this.#pipe.isOver) return
    this.#pipe.cut({ code: PIPE_RESET, reason: 'the connection was cut' })
    this.#uplink.farewell()
    this.#stop.abort()
  }

  override async sendClose(options?: AbortOptions): Promise<void> {
    this.#pipe.finish()
    const deadline = AbortSignal.any([AbortSignal.timeout(CLOSE_DEADLINE_MS), ...(options?.signal ? [options.signal] : [])])
    deadline.addEventListener('abort', () => this.#delivered.resolve(), { once: true })
    if (deadline.aborted) this.#delivered.resolve()
    await this.#delivered.promise
    this.#stop.abort()
  }

  override sendPause(): void {
    this.#pipe.pause()
  }

  override sendResume(): void {
    this.#pipe.resume()
  }
}
