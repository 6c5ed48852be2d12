/** A transport that only dials and whose code is loaded when it is wanted. Which ones there are: lazy-tunnel.ts, web-transports.ts. */
import { transportSymbol, type Transport } from '@libp2p/interface'

export interface LazyTransportParts {
  readonly name: string
  /** Tried again with the next dial when it fails. */
  readonly load: () => Promise<Pick<Transport, 'dial'>>
  /** Loads at once: a head start that is spent on loading is none. */
  readonly isAhead: boolean
  readonly isDialable: (address: string) => boolean
}

export function lazyTransport({ name, load, isAhead, isDialable }: LazyTransportParts): Transport {
  let loading = isAhead ? load() : undefined
  loading?.catch(() => undefined)
  return {
    [transportSymbol]: true,
    [Symbol.toStringTag]: name,
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
    dialFilter: (addresses) => addresses.filter((each) => isDialable(each.toString())),
  }
}
