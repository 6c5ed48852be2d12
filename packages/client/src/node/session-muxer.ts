/**
 * A browser's WebTransport session as libp2p's stream muxer: one stream of QUIC for each of libp2p. In place of the muxer of @libp2p/webtransport 6, because
 * that one's streams break when they are paused and its connection stays "open" when the session has ended (pitfalls A5.3, A5.4). Signs of life are the
 * bytes of any stream; the question is libp2p's ping on a stream that is kept, because QUIC's own pings are not for pages.
 * Not here: how a session is made (web-transports.ts).
 */
import type { Connection, CreateStreamOptions, MultiaddrConnection } from '@libp2p/interface'
import { AbstractStreamMuxer } from '@libp2p/utils'
import { raceSignal } from 'race-signal'
import { createPinger } from './pinger.ts'
import { SessionStream } from './session-stream.ts'
import type { WatchedMuxers } from './signs.ts'

export const SESSION_MUXER = '/webtransport'

/** Streams that wait until the bridge grants one (it grants a hundred at a time); above this nobody serves them. */
const MAX_PENDING_OPENS = 1_000

/** What is used of a browser's WebTransport. */
export interface Session extends Pick<WebTransport, 'closed' | 'createBidirectionalStream'> {
  readonly incomingBidirectionalStreams: ReadableStream<WebTransportBidirectionalStream>
  close(): void
}

export class SessionMuxer extends AbstractStreamMuxer<SessionStream> {
  readonly #session: Session
  readonly #watched: WatchedMuxers
  #count = 0
  #pendingOpens = 0

  constructor(connection: MultiaddrConnection, session: Session, watched: WatchedMuxers) {
    super(connection, { protocol: SESSION_MUXER, name: 'muxer' })
    this.#session = session
    this.#watched = watched
    const ping = createPinger()
    watched.watch(this, (link: Connection) => ping(link))
    void this.#accept()
    const ended = (): void => {
      this.onTransportClosed()
      endConnection(connection)
    }
    session.closed.then(ended, ended)
  }

  override async onCreateStream({ signal }: CreateStreamOptions): Promise<SessionStream> {
    if (this.#pendingOpens >= MAX_PENDING_OPENS) throw new Error('too many streams wait to be opened')
    this.#pendingOpens++
    const opening = this.#session.createBidirectionalStream().finally(() => this.#pendingOpens--)
    try {
      return this.#wrap(await raceSignal(opening, signal), 'outbound')
    } catch (error) {
      // It cannot be called off: when it comes after all, it is given back.
      opening.then(giveBack, ignore)
      throw error
    }
  }

  override onData(): void {}

  async #accept(): Promise<void> {
    const reader = this.#session.incomingBidirectionalStreams.getReader()
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        this.#watched.heard(this)
        if (this.status === 'open') this.onRemoteStream(this.#wrap(next.value, 'inbound'))
        else giveBack(next.value)
      }
    } catch (error) {
      this.log('no more streams come - %s', error)
    }
  }

  #wrap(stream: WebTransportBidirectionalStream, direction: 'inbound' | 'outbound'): SessionStream {
    const onHeard = (): void => this.#watched.heard(this)
    return new SessionStream({ stream, id: String(this.#count++), direction, log: this.log, onHeard })
  }
}

/** The session has gone: libp2p is told, which the stock transport leaves to the next ping. */
function endConnection(connection: MultiaddrConnection): void {
  if (connection.status === 'open' || connection.status === 'closing') connection.abort(new Error('the WebTransport session has ended'))
}

function giveBack(stream: WebTransportBidirectionalStream): void {
  stream.writable.abort().catch(ignore)
  stream.readable.cancel().catch(ignore)
}

function ignore(): void {}
