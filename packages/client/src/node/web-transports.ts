/**
 * The stock WebTransport dialler, in a chunk of its own, with its own muxer taken out (session-muxer.ts says why). What the stock one does well stays:
 * the session with the certificates' hashes, Noise on its first stream, the check that the bridge confirms those hashes, and closing a session whose dial
 * was called off.
 * Not here: when to dial (first-hop/).
 */
import type { MultiaddrConnection, Transport, Upgrader } from '@libp2p/interface'
import type { webTransport } from '@libp2p/webtransport'
import { hopKind } from '../first-hop/hop-kind.ts'
import { lazyTransport } from './lazy-transport.ts'
import { SESSION_MUXER, SessionMuxer, type Session } from './session-muxer.ts'
import type { WatchedMuxers } from './signs.ts'

type Components = Parameters<ReturnType<typeof webTransport>>[0]

/** For libp2p's `transports`. Dials nothing where the browser has no WebTransport. */
export function lazyWebTransports(watched: WatchedMuxers): (components: Components) => Transport {
  return (components) => {
    const load = async (): Promise<Pick<Transport, 'dial'>> => {
      const stock = (await import('@libp2p/webtransport')).webTransport()(components)
      return {
        async dial(address, options) {
          const link = await stock.dial(address, { ...options, upgrader: withSessionMuxer(options.upgrader, watched) })
          if (!options.signal.aborted) return link
          link.abort(new Error('the dial was called off'))
          throw options.signal.reason
        },
      }
    }
    const isThere = (): boolean => typeof globalThis.WebTransport !== 'undefined'
    return lazyTransport({
      name: '@footbridge/webtransport',
      load,
      isAhead: isThere(),
      isDialable: (address) => isThere() && isDialable(address),
    })
  }
}

/** Browsers take a certificate that no authority signed only by its hash. */
function isDialable(address: string): boolean {
  return hopKind(address) === 'webtransport' && address.includes('/certhash/')
}

function withSessionMuxer(upgrader: Upgrader, watched: WatchedMuxers): Upgrader {
  const upgradeOutbound = async (connection: MultiaddrConnection, options: Parameters<Upgrader['upgradeOutbound']>[1]) => {
    const stock = options?.muxerFactory
    if (stock === undefined) throw new TypeError('@libp2p/webtransport has changed: it gives no muxer')
    const muxerFactory = {
      protocol: SESSION_MUXER,
      createStreamMuxer: () => new SessionMuxer(connection, takeSession(stock.createStreamMuxer(connection)), watched),
    }
    return upgrader.upgradeOutbound(connection, { ...options, muxerFactory })
  }
  return new Proxy(upgrader, { get: (target, name) => (name === 'upgradeOutbound' ? upgradeOutbound : Reflect.get(target, name)) })
}

/** The stock muxer is the only one that knows the session. It has just begun to wait for streams; without its reader it does nothing at all. */
function takeSession(muxer: object): Session {
  const { webTransport: session, reader } = muxer as { webTransport?: Session; reader?: ReadableStreamDefaultReader }
  if (session === undefined || reader === undefined) throw new TypeError('@libp2p/webtransport has changed: its muxer has other fields')
  reader.releaseLock()
  return session
}
