/**
 * One WebTransport session as a libp2p MultiaddrConnection. No bytes pass through it: each libp2p stream is a stream of the session (webtransport-muxer.ts).
 * Stock @libp2p/webtransport does not see that a session was closed from afar (pitfall A5.4): its connection stays "open" until a ping fails. What it does
 * see is the end of its streams; libp2p's connection ends those first, and `close` leaves them time to arrive.
 */
import { StreamMessageEvent, type AbortOptions, type Logger, type MessageStreamDirection } from '@libp2p/interface'
import { AbstractMultiaddrConnection, type SendResult } from '@libp2p/utils'
import type { Multiaddr } from '@multiformats/multiaddr'
import { Uint8ArrayList } from 'uint8arraylist'
import type { NativeSession } from './binding.ts'

/** Session error codes of go-libp2p: 0x47415445 spells GATE. */
export const SESSION_CODES = { closed: 0, failed: 1, gated: 0x47415445 } as const

/** The native side drops what is unsent when a session closes: how long the ends of its streams have to leave. */
const LINGER_MS = 200
/** How long the remote has to hear of a close. */
const CLOSE_DEADLINE_MS = 1_000
/** How often somebody who counts signs of life is told of one. */
const HEARD_EVERY_MS = 1_000
/** Characters; a close reason holds 1,024 bytes. */
const MAX_REASON_LENGTH = 256

export interface WebTransportConnectionInit {
  readonly remoteAddr: Multiaddr
  readonly log: Logger
  readonly direction?: MessageStreamDirection
}

export class WebTransportConnection extends AbstractMultiaddrConnection {
  #session: NativeSession | undefined
  #whenClosed: Promise<unknown> = Promise.resolve()
  #heardAt = 0

  constructor({ remoteAddr, log, direction = 'inbound' }: WebTransportConnectionInit) {
    super({ remoteAddr, log, direction })
  }

  /** The session exists only once the request is granted, and whether it is may depend on this connection. */
  attach(session: NativeSession): void {
    this.#session = session
    this.#whenClosed = session.closed().then(
      ({ closeCode }) => {
        this.#onSessionClosed(closeCode)
      },
      () => {
        this.#onSessionClosed(SESSION_CODES.failed)
      },
    )
  }

  /** Something came on one of the streams. Told on as an empty message, at most once a second, for whoever watches for signs of life. */
  heard(): void {
    const now = performance.now()
    if (now - this.#heardAt < HEARD_EVERY_MS || this.status !== 'open') return
    this.#heardAt = now
    this.dispatchEvent(new StreamMessageEvent(new Uint8ArrayList()))
  }

  /** A packet that the remote must acknowledge, so that neither side takes an idle session for a dead one. */
  keepAlive(): void {
    try {
      this.#session?.sendDatagram(Buffer.of(0))
    } catch (error) {
      this.log('no keep-alive - %s', error)
    }
  }

  override sendData(data: Uint8ArrayList): SendResult {
    return { sentBytes: data.byteLength, canSendMore: true }
  }

  override sendReset(error: Error): void {
    const { code, reason } = lastWords(error)
    this.#session?.close(code, reason)
  }

  override async sendClose(options?: AbortOptions): Promise<void> {
    await until(options?.signal, LINGER_MS, this.#whenClosed)
    this.#session?.close(SESSION_CODES.closed, '')
    await until(options?.signal, CLOSE_DEADLINE_MS, this.#whenClosed)
  }

  override sendPause(): void {}

  override sendResume(): void {}

  #onSessionClosed(code: number): void {
    // Answers a close from afar, without which the QUIC connection would stay.
    this.#session?.close(SESSION_CODES.closed, '')
    if (this.status !== 'open' && this.status !== 'closing') return
    if (code === SESSION_CODES.closed || this.status === 'closing') this.onTransportClosed()
    else this.onRemoteReset()
  }
}

/** An error with a code is meant for the other side, as WebSocketCloseError is; a gater's refusal has its own code; everything else is nobody's business. */
function lastWords(error: Error): { code: number; reason: string } {
  if (error.name === 'ConnectionInterceptedError') return { code: SESSION_CODES.gated, reason: '' }
  // The platform's own errors have numbers too, and they mean something else.
  if ('code' in error && typeof error.code === 'number' && !(error instanceof DOMException))
    return { code: error.code, reason: error.message.slice(0, MAX_REASON_LENGTH) }
  return { code: SESSION_CODES.failed, reason: '' }
}

/** Over when the time is up, the signal fires, or the work is done. */
async function until(signal: AbortSignal | undefined, deadlineMs: number, work: Promise<unknown>): Promise<void> {
  let stop = (): void => {}
  const stopped = new Promise<void>((resolve) => {
    stop = resolve
  })
  const timer = setTimeout(() => {
    stop()
  }, deadlineMs)
  signal?.addEventListener('abort', stop)
  if (signal?.aborted === true) stop()
  await Promise.race([work, stopped])
  clearTimeout(timer)
  signal?.removeEventListener('abort', stop)
}
