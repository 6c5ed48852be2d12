/**
 * yamux that tells when bytes last came over a connection, and asks the other side for a sign of life with a yamux ping: 12 bytes that any
 * implementation answers, where a ping stream costs 600.
 * yamux's own keep-alive is off: it pings every circuit every 30 s from both ends, and relayed bytes are counted (pitfall A4.4).
 */
import type { Connection, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import { yamux } from '@libp2p/yamux'

export interface Heard {
  /** When bytes last came; at first the opening. */
  readonly at: number
  /** How often bytes came. */
  readonly times: number
}

export interface Signs {
  /** Undefined for a connection that is not muxed by this. */
  heard(connection: Connection): Heard | undefined
  /** @returns the round trip in milliseconds. Pends while nothing comes: the caller has the deadline. Undefined as above. */
  ask(connection: Connection): Promise<number> | undefined
}

interface Watched {
  at: number
  times: number
  readonly ask: () => Promise<number>
}

interface PingingMuxer extends StreamMuxer {
  ping(): Promise<number>
}

export function watchedYamux(now: () => number): { readonly factory: () => StreamMuxerFactory; readonly signs: Signs } {
  const watched = new WeakMap<StreamMuxer, Watched>()
  const stock = yamux({ enableKeepAlive: false })()

  const watch = (muxer: PingingMuxer): StreamMuxer => {
    // Never with a signal: a pong that comes after its ping was called off ends the connection ("ping not requested").
    const ask = (): Promise<number> => muxer.ping()
    watched.set(muxer, { at: now(), times: 0, ask })
    return muxer
  }

  const of = (connection: Connection): Watched | undefined => {
    // A private field, so by name; watched-muxer.test.ts fails when a new version renames it.
    const muxer = Reflect.get(connection, 'muxer') as StreamMuxer | undefined
    return muxer && watched.get(muxer)
  }

  return {
    factory: () => ({
      protocol: stock.protocol,
      createStreamMuxer(stream) {
        const muxer = watch(stock.createStreamMuxer(stream) as PingingMuxer)
        stream.addEventListener('message', () => {
          const facts = watched.get(muxer)
          if (facts === undefined) return
          facts.at = now()
          facts.times++
        })
        // The round trip sizes the windows; asked once, as the stock keep-alive does.
        watched
          .get(muxer)
          ?.ask()
          .catch(() => undefined)
        return muxer
      },
    }),
    signs: { heard: of, ask: (connection) => of(connection)?.ask() },
  }
}
