/**
 * Signs of life of connections: when bytes last came over one, and a question that brings some. What asks and what counts as bytes is the muxer's affair
 * (watched-muxer.ts for yamux, session-muxer.ts for WebTransport); who judges is supervisor/link-watch.ts.
 */
import type { Connection, StreamMuxer } from '@libp2p/interface'

export interface Heard {
  /** When bytes last came; at first the opening. */
  readonly at: number
  /** How often bytes came. */
  readonly times: number
}

export interface Signs {
  /** Undefined for a connection that is not watched. */
  heard(connection: Connection): Heard | undefined
  /** @returns the round trip in milliseconds. Pends while nothing comes: the caller has the deadline. Undefined as above. */
  ask(connection: Connection): Promise<number> | undefined
}

export interface WatchedMuxers {
  readonly signs: Signs
  /** @param ask @returns the round trip in milliseconds */
  watch(muxer: StreamMuxer, ask: (connection: Connection) => Promise<number>): void
  /** Bytes came. */
  heard(muxer: StreamMuxer): void
}

interface Watched {
  at: number
  times: number
  readonly ask: (connection: Connection) => Promise<number>
}

export function createWatchedMuxers(now: () => number): WatchedMuxers {
  const watched = new WeakMap<StreamMuxer, Watched>()

  const of = (connection: Connection): Watched | undefined => {
    // A private field, so by name; watched-muxer.test.ts fails when a new version renames it.
    const muxer = Reflect.get(connection, 'muxer') as StreamMuxer | undefined
    return muxer && watched.get(muxer)
  }

  return {
    signs: { heard: of, ask: (connection) => of(connection)?.ask(connection) },
    watch(muxer, ask) {
      watched.set(muxer, { at: now(), times: 0, ask })
    },
    heard(muxer) {
      const facts = watched.get(muxer)
      if (facts === undefined) return
      facts.at = now()
      facts.times++
    },
  }
}
