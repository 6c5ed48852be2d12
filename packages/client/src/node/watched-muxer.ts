/**
 * yamux that tells when bytes last came over a connection, and asks the other side for a sign of life with a yamux ping: 12 bytes that any
 * implementation answers, where a ping stream costs 600.
 * yamux's own keep-alive is off: it pings every circuit every 30 s from both ends, and relayed bytes are counted (pitfall A4.4).
 */
import type { StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import { yamux } from '@libp2p/yamux'
import type { WatchedMuxers } from './signs.ts'

interface PingingMuxer extends StreamMuxer {
  ping(): Promise<number>
}

export function watchedYamux(watched: WatchedMuxers): () => StreamMuxerFactory {
  const stock = yamux({ enableKeepAlive: false })()
  return () => ({
    protocol: stock.protocol,
    createStreamMuxer(stream) {
      const muxer = stock.createStreamMuxer(stream) as PingingMuxer
      // Never with a signal: a pong that comes after its ping was called off ends the connection ("ping not requested").
      const ask = (): Promise<number> => muxer.ping()
      watched.watch(muxer, ask)
      stream.addEventListener('message', () => watched.heard(muxer))
      // The round trip sizes the windows; asked once, as the stock keep-alive does.
      ask().catch(() => undefined)
      return muxer
    },
  })
}
