/**
 * The muxer of a node that forwards, for libp2p's `streamMuxers`. Same protocol as @libp2p/yamux; what differs inside is told in yamux-muxer.ts.
 */
import type { StreamMuxerFactory } from '@libp2p/interface'
import { YamuxMuxer, type YamuxInit } from './yamux-muxer.ts'

export function yamux(init: YamuxInit): () => StreamMuxerFactory {
  return () => ({
    protocol: '/yamux/1.0.0',
    createStreamMuxer: (connection) => new YamuxMuxer(connection, init),
  })
}
