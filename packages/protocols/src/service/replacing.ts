/**
 * The same object but for some of its members, made when they are asked for: libp2p's components are a proxy, which cannot be spread, and are not all there at first.
 * Not here: what is put in place of what (released-streams.ts, and the bridge's and the client's transport for circuits).
 */
import type { StreamHandler, StreamHandlerOptions } from '@libp2p/interface'

export function replacing<Whole extends object>(
  whole: Whole,
  members: Readonly<Partial<Record<keyof Whole & string, () => unknown>>>,
): Whole {
  const makers = new Map<string | symbol, () => unknown>(Object.entries(members))
  return new Proxy(whole, { get: (target, name) => makers.get(name)?.() ?? Reflect.get(target, name) })
}

export interface WithRegistrar {
  readonly registrar: { handle(protocol: string, handler: StreamHandler, options?: StreamHandlerOptions): Promise<void> }
}

/** Components whose registrar is given each handler as `wrap` makes it. */
export function wrappingHandlers<Components extends WithRegistrar>(
  components: Components,
  wrap: (handler: StreamHandler, protocol: string) => StreamHandler,
): Components {
  const handle: WithRegistrar['registrar']['handle'] = (protocol, handler, options) =>
    components.registrar.handle(protocol, wrap(handler, protocol), options)
  const members = { registrar: () => replacing(components.registrar, { handle: () => handle }) }
  return replacing<Components>(components, members as Partial<Record<keyof Components & string, () => unknown>>)
}
