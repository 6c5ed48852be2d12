/** The HTTPS tunnel, loaded with the first dial: most networks never need it. What it is: @footbridge/protocols/tunnel. */
import { transportSymbol, type ComponentLogger, type Transport } from '@libp2p/interface'
import { hopKind } from '../first-hop/hop-kind.ts'

export interface LazyTunnelParts {
  /** The session's newest; undefined when there is none. */
  readonly accessToken: () => string | undefined
  readonly fetch: typeof fetch
  /** Milliseconds that never go back. */
  readonly now: () => number
  readonly random: () => number
}

/** For libp2p's `transports`. */
export function lazyTunnel(parts: LazyTunnelParts): (components: { readonly logger: ComponentLogger }) => Transport {
  return (components) => {
    let loading: Promise<Transport> | undefined
    const load = async (): Promise<Transport> => (await import('@footbridge/protocols/tunnel/tunnel-transport')).tunnel(parts)(components)
    return {
      [transportSymbol]: true,
      [Symbol.toStringTag]: '@footbridge/tunnel',
      async dial(address, options) {
        loading ??= load()
        const transport = await loading.catch((error: unknown) => {
          loading = undefined
          throw error
        })
        options.signal.throwIfAborted()
        return transport.dial(address, options)
      },
      createListener() {
        throw new Error('this transport only dials')
      },
      listenFilter: () => [],
      dialFilter: (addresses) => addresses.filter((each) => hopKind(each.toString()) === 'tunnel'),
    }
  }
}
