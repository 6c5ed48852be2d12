/**
 * yamux that takes its connection down with it. In js-libp2p a client that aborts a connection over WebSocket sends yamux's go-away and fails to close the
 * socket (pitfall A5.1); the other side's muxer then is dead while the connection stays "open": a peer that looks online and cannot be reached.
 */
import type { MessageStream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import { yamux, type YamuxMuxerInit } from '@libp2p/yamux'

/** For libp2p's `streamMuxers`. */
export function closingYamux(init: YamuxMuxerInit): () => StreamMuxerFactory {
  return () => {
    const factory = yamux(init)()
    return {
      protocol: factory.protocol,
      createStreamMuxer(connection) {
        return closeTogether(factory.createStreamMuxer(connection) as EndingMuxer, connection)
      },
    }
  }
}

/** The two ways in which a muxer ends by what the other side sent. */
interface EndingMuxer extends StreamMuxer {
  onTransportClosed(error?: Error): void
}

function closeTogether(muxer: EndingMuxer, connection: MessageStream): StreamMuxer {
  const abort = muxer.abort.bind(muxer)
  const onTransportClosed = muxer.onTransportClosed.bind(muxer)
  return Object.assign(muxer, {
    abort(error: Error): void {
      abort(error)
      connection.abort(error)
    },
    onTransportClosed(error?: Error): void {
      onTransportClosed(error)
      // A polite go-away: let what is on its way arrive, then close too. Closing twice does nothing.
      connection.close({ signal: AbortSignal.timeout(CLOSE_MS) }).catch((reason: unknown) => {
        connection.abort(reason instanceof Error ? reason : new Error('could not close'))
      })
    },
  })
}

const CLOSE_MS = 2_000
