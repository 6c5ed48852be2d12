/**
 * One tunnel as the bridge sees it: what each of its requests does, as bytes in and bytes out. Rules: packages/shared/src/tunnel/SPEC.md.
 * Not here: HTTP (the owner of the routes), opening and caps (tunnel-listener.ts).
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import type { BytePipe } from '@footbridge/shared/tunnel/byte-pipe'
import { decodeTunnelFrames, encodeTunnelFrames, type TunnelFrame } from '@footbridge/shared/wire/tunnel-frame'
import { TunnelConnection, type TunnelConnectionInit } from './tunnel-connection.ts'

export interface TunnelTimes {
  /** Between two signs of life in a streamed answer. */
  readonly heartbeatMs: number
  /** A streamed answer's life: shorter than what proxies allow an answer. */
  readonly streamMs: number
  /** A poll is answered within this time. */
  readonly pollMs: number
}

/** Bytes of one piece of a stream; a stream that is cut loses at most one. */
const STREAM_PIECE_BYTES = 64 * 1024
/**
 * What is written within this time goes into the same answer: libp2p writes an answer in several pieces, and each piece that comes too late for a poll waits a
 * round trip for the next.
 */
const GATHER_MS = 2
/** Bytes in the answer to a poll. */
const POLL_BYTES = 256 * 1024

export interface TunnelRequests {
  /** @returns the answer's body. @throws FootbridgeError `protocol_violation` */
  up(body: Uint8Array): Uint8Array<ArrayBuffer>
  /** @param flow what the client has, and how much it may be sent. */
  down(flow: { readonly received: number; readonly limit: number }): ReadableStream<Uint8Array>
  /** @returns the answer's body; soon after `signal` at the latest. @throws FootbridgeError `protocol_violation` */
  poll(body: Uint8Array, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>>
}

export class Tunnel implements TunnelRequests {
  readonly id: string
  readonly peer: string
  readonly connection: TunnelConnection
  /** When the last request came or ended. */
  heardAt: number
  readonly #now: () => number
  readonly #times: TunnelTimes
  readonly #onHeld: (tunnel: Tunnel) => void
  readonly #waiting = new Set<() => void>()
  #stream = 0
  #poll = 0

  constructor(
    init: Omit<TunnelConnectionInit, 'onWork'> & {
      readonly id: string
      readonly peer: string
      readonly times: TunnelTimes
      readonly now: () => number
      /** What it keeps may have changed. */
      readonly onHeld: (tunnel: Tunnel) => void
    },
  ) {
    this.#onHeld = init.onHeld
    this.id = init.id
    this.peer = init.peer
    this.#now = init.now
    this.#times = init.times
    this.heardAt = init.now()
    this.connection = new TunnelConnection({ ...init, onWork: () => this.#worked() })
    // The answer to the opening says what the first flow frame would.
    this.#pipe.flow()
  }

  get #pipe(): BytePipe {
    return this.connection.pipe
  }

  up(body: Uint8Array): Uint8Array<ArrayBuffer> {
    this.#apply(decode(body))
    // Bytes go down by the other two; an end is told wherever it can be.
    const end = this.#pipe.isOver ? this.#pipe.outgoing(0, 0).frames : []
    return encodeTunnelFrames([this.#pipe.flow(), ...end])
  }

  down({ received, limit }: { received: number; limit: number }): ReadableStream<Uint8Array> {
    this.#apply([{ type: 'flow', received, limit }])
    const turn = ++this.#stream
    this.#wake()
    const closeAt = this.#now() + this.#times.streamMs
    let cursor = received
    let isFirst = true
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          if (!isFirst) await this.#wait(cursor, Math.min(this.#times.heartbeatMs, closeAt - this.#now()), () => turn !== this.#stream)
          isFirst = false
          const { frames, next } = this.#pipe.outgoing(cursor, STREAM_PIECE_BYTES)
          cursor = next
          controller.enqueue(encodeTunnelFrames([this.#pipe.flow(), ...frames]))
          if (turn !== this.#stream || this.#now() >= closeAt || this.#pipe.isOver) controller.close()
        },
      },
      // Nothing is taken out of the pipe before the socket asks for it.
      { highWaterMark: 0 },
    )
  }

  async poll(body: Uint8Array, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const frames = decode(body)
    this.#apply(frames)
    const turn = ++this.#poll
    this.#wake()
    const from = frames[0]?.type === 'flow' ? frames[0].received : 0
    const waitMs = frames.reduce((least, frame) => (frame.type === 'wait' ? Math.min(least, frame.ms) : least), this.#times.pollMs)
    await this.#wait(from, waitMs, () => turn !== this.#poll || signal.aborted, signal)
    if (!this.#pipe.isOver && this.#pipe.outgoing(from, 1).frames.length > 0) await new Promise((resolve) => setTimeout(resolve, GATHER_MS))
    this.heardAt = this.#now()
    return encodeTunnelFrames([this.#pipe.flow(), ...this.#pipe.outgoing(from, POLL_BYTES).frames])
  }

  #apply(frames: readonly TunnelFrame[]): void {
    this.heardAt = this.#now()
    try {
      for (const frame of frames) this.#pipe.apply(frame)
    } catch (error) {
      this.connection.abort(error instanceof Error ? error : new Error('the other side broke the protocol'))
      throw error
    } finally {
      this.connection.applied()
      this.#onHeld(this)
    }
  }

  #worked(): void {
    this.#wake()
    this.#onHeld(this)
  }

  /** Until there is something to carry from `cursor` on, the request is not wanted any more, or the time is over. */
  #wait(cursor: number, timeoutMs: number, isUnwanted: () => boolean, signal?: AbortSignal): Promise<void> {
    const isReady = (): boolean =>
      isUnwanted() || this.#pipe.isOver || this.#pipe.isFlowDue || this.#pipe.outgoing(cursor, 1).frames.length > 0
    if (isReady()) return Promise.resolve()
    return new Promise((resolve) => {
      const look = (): void => {
        if (isReady()) done()
      }
      const done = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, Math.max(0, timeoutMs))
      this.#waiting.add(look)
      signal?.addEventListener('abort', done, { once: true })
    })
  }

  #wake(): void {
    for (const look of this.#waiting) look()
  }
}

function decode(body: Uint8Array): TunnelFrame[] {
  try {
    return decodeTunnelFrames(body)
  } catch (cause) {
    throw new FootbridgeError('bad_request', 'the body does not fit', { cause })
  }
}
