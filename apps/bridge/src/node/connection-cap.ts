/**
 * How many native connections one address may have. libp2p's own caps are for all addresses together, so one of them could take every place.
 * WebSockets are counted by their listener, behind a proxy by what the proxy says; circuits have the relay's address and are counted by the relay.
 */
import type { MultiaddrConnection } from '@libp2p/interface'
import { addressKey } from '@footbridge/listeners/websocket/address-key'
import { getNetConfig } from '@libp2p/utils'
import { MAX_NATIVE_CONNECTIONS_PER_ADDRESS } from '../limits.ts'

export interface ConnectionCap {
  /** Counts the connection until it closes, or says that there is no place for it. */
  admits(connection: Pick<MultiaddrConnection, 'remoteAddr' | 'addEventListener'>): boolean
}

export function createConnectionCap(options: { readonly maxPerAddress?: number } = {}): ConnectionCap {
  const { maxPerAddress = MAX_NATIVE_CONNECTIONS_PER_ADDRESS } = options
  const counts = new Map<string, number>()

  return {
    admits(connection) {
      const address = nativeAddress(connection)
      if (address === undefined || isLoopback(address)) return true
      const key = addressKey(address)
      const count = counts.get(key) ?? 0
      if (count >= maxPerAddress) return false
      counts.set(key, count + 1)
      connection.addEventListener(
        'close',
        () => {
          const left = (counts.get(key) ?? 1) - 1
          if (left === 0) counts.delete(key)
          else counts.set(key, left)
        },
        { once: true },
      )
      return true
    },
  }
}

/** The IP address of a TCP connection that is nothing more than that. */
function nativeAddress({ remoteAddr }: Pick<MultiaddrConnection, 'remoteAddr'>): string | undefined {
  return remoteAddr.getComponents().at(-1)?.name === 'tcp' ? getNetConfig(remoteAddr).host : undefined
}

/** Tunnels and proxies on this machine bring everybody under its own address. */
function isLoopback(address: string): boolean {
  return /^(::ffff:)?127\./i.test(address) || address === '::1'
}
