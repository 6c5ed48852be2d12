/** The HTTPS tunnel, loaded with the first dial: most networks never need it. What it is: @footbridge/protocols/tunnel. */
import type { ComponentLogger, Transport } from '@libp2p/interface'
import { hopKind } from '../first-hop/hop-kind.ts'
import { lazyTransport } from './lazy-transport.ts'

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
  return (components) =>
    lazyTransport({
      name: '@footbridge/tunnel',
      load: async () => (await import('@footbridge/protocols/tunnel/tunnel-transport')).tunnel(parts)(components),
      isAhead: false,
      isDialable: (address) => hopKind(address) === 'tunnel',
    })
}
