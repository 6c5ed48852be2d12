/**
 * A libp2p service whose handlers leave nothing of a stream behind. Ping and Kademlia give each stream they serve a deadline of ten seconds and a listener on it, which they never take
 * off: until then the listener holds the stream, and the stream everything that it has not read. Whoever opens and ends streams as fast as they can has the bridge keep those of ten seconds.
 *
 * So the handler is given a stand-in, which lets go of the stream once the handler has returned and the stream is closed; what a late deadline says to it is said to nobody.
 * Not here: how many streams one connection may have (each service's own limit).
 */
import type { Stream, StreamHandler } from '@libp2p/interface'
import { wrappingHandlers, type WithRegistrar } from './replacing.ts'

/** All that a deadline can want of a stream. */
const ENDED = { abort: (): void => {} }

/** @param create a service as libp2p takes it. */
export function withReleasedStreams<Components extends WithRegistrar, Service>(
  create: (components: Components) => Service,
): (components: Components) => Service {
  return (components) => create(wrappingHandlers(components, releasing))
}

export function releasing(handler: StreamHandler): StreamHandler {
  return async (stream, connection) => {
    const { standIn, release } = standInFor(stream)
    try {
      await handler(standIn, connection)
    } finally {
      if (stream.status === 'open' || stream.status === 'closing') stream.addEventListener('close', release, { once: true })
      else release()
    }
  }
}

function standInFor(stream: Stream): { readonly standIn: Stream; readonly release: () => void } {
  let target: object = stream
  const standIn = new Proxy({} as Stream, {
    get(_, name) {
      const value: unknown = Reflect.get(target, name, target)
      // Its methods need the stream itself. What it only carries, such as its log, is a function with members.
      return typeof value === 'function' && !Object.hasOwn(target, name) ? (value.bind(target) as unknown) : value
    },
    set: (_, name, value) => Reflect.set(target, name, value, target),
    has: (_, name) => Reflect.has(target, name),
  })
  return {
    standIn,
    release: () => {
      target = ENDED
    },
  }
}
