/**
 * A libp2p transport that dials a bridge over the HTTPS tunnel, in browsers and in Node: whatever lets a page load lets it through. It needs a session,
 * because the bridge opens tunnels for the PeerID of an access token alone.
 *
 *     createLibp2p({ transports: [tunnel({ accessToken: () => session?.accessToken })], … })
 *
 * Listening is packages/listeners/src/tunnel.
 */
import { transportSymbol, type ComponentLogger, type Connection, type DialTransportOptions, type Transport } from '@libp2p/interface'
import { FootbridgeError } from '@footbridge/shared/errors'
import type { Multiaddr } from '@multiformats/multiaddr'
import { tunnelUrl } from './tunnel-address.ts'
import { TunnelConnection } from './tunnel-connection.ts'
import { openTunnel } from './tunnel-requests.ts'

export interface TunnelOptions {
  /** The session's newest access token for the bridge at this URL; undefined when there is no session with it. */
  readonly accessToken: (url: string) => string | undefined
  readonly fetch?: typeof fetch
  /** Milliseconds; only differences count. */
  readonly now?: () => number
  readonly random?: () => number
}

/** For libp2p's `transports`. */
export function tunnel(options: TunnelOptions): (components: { readonly logger: ComponentLogger }) => Transport {
  const { accessToken, fetch = (...request) => globalThis.fetch(...request), now = Date.now, random = Math.random } = options

  return ({ logger }) => ({
    [transportSymbol]: true,
    [Symbol.toStringTag]: '@footbridge/tunnel',
    async dial(address: Multiaddr, dialOptions: DialTransportOptions): Promise<Connection> {
      const { signal, upgrader } = dialOptions
      const baseUrl = tunnelUrl(address)
      if (baseUrl === undefined) throw new FootbridgeError('bad_request', 'not the address of a tunnel')
      const requests = await openTunnel({ baseUrl, fetch, accessToken: () => accessToken(baseUrl) }, signal, now)
      const connection = new TunnelConnection({ requests, remoteAddr: address, log: logger.forComponent('footbridge:tunnel'), now, random })
      try {
        return await upgrader.upgradeOutbound(connection, dialOptions)
      } catch (error) {
        connection.abort(error instanceof Error ? error : new Error('the handshake failed'))
        throw error
      }
    },
    createListener() {
      throw new Error('this transport only dials')
    },
    listenFilter: () => [],
    dialFilter: (addresses) => addresses.filter((address) => tunnelUrl(address) !== undefined),
  })
}
