/**
 * The session as libp2p's stream muxer: one WebTransport stream for each libp2p stream, no yamux. How many there are at once is QUIC's own affair: each side
 * grants the other a number of streams (100 here), and who has used them waits.
 */
import type { CreateStreamOptions } from '@libp2p/interface'
import { AbstractStreamMuxer } from '@libp2p/utils'
import { raceSignal } from 'race-signal'
import type { NativeSession, NativeStream } from './binding.ts'
import type { WebTransportConnection } from './webtransport-connection.ts'
import { WebTransportStream } from './webtransport-stream.ts'

export const WEBTRANSPORT_MUXER = '/webtransport'

/** Streams that wait until the remote grants one; above this the remote is not serving anybody. */
const MAX_PENDING_OPENS = 1_000

export class WebTransportMuxer extends AbstractStreamMuxer<WebTransportStream> {
  readonly #session: NativeSession
  readonly #connection: WebTransportConnection
  #count = 0
  #pendingOpens = 0

  constructor(connection: WebTransportConnection, session: NativeSession) {
    super(connection, { protocol: WEBTRANSPORT_MUXER, name: 'muxer' })
    this.#connection = connection
    this.#session = session
  }

  /** A stream that the client opened. Not before libp2p listens for streams. */
  receive(stream: NativeStream): void {
    this.#connection.heard()
    // Dropping the native stream ends it.
    if (this.status !== 'open') return
    this.onRemoteStream(this.#wrap(stream, 'inbound'))
  }

  override async onCreateStream({ signal }: CreateStreamOptions): Promise<WebTransportStream> {
    if (this.#pendingOpens >= MAX_PENDING_OPENS) throw new Error('too many streams wait to be opened')
    this.#pendingOpens++
    const opening = this.#session.openBi().finally(() => {
      this.#pendingOpens--
    })
    try {
      return this.#wrap(await raceSignal(opening, signal), 'outbound')
    } catch (error) {
      // It cannot be called off: when it comes after all, it is given back.
      opening.then(
        (late) => {
          late
            .takeSend()
            .reset(0)
            .catch(() => {})
          late
            .takeRecv()
            .stop(0)
            .catch(() => {})
        },
        () => {},
      )
      throw error
    }
  }

  override onData(): void {}

  #wrap(stream: NativeStream, direction: 'inbound' | 'outbound'): WebTransportStream {
    return new WebTransportStream({
      stream,
      id: String(this.#count++),
      direction,
      log: this.log,
      onHeard: () => {
        this.#connection.heard()
      },
      onStuck: (error) => {
        this.abort(error)
        this.#connection.abort(error)
      },
    })
  }
}
