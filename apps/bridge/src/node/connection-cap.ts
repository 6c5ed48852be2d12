/**
 * How many connections the bridge takes in all, and how many native ones of one address. libp2p's own cap is for all together, so one address could take every place, and
 * at that number it begins to close what is idle, which is people's browsers.
 * WebSockets are counted by their listener, behind a proxy by what the proxy says; circuits have the relay's address and are counted by the relay.
 */
import type { MultiaddrConnection } from '@libp2p/interface'
import { addressKey } from '@footbridge/listeners/websocket/address-key'
import { getNetConfig } from '@libp2p/utils'
import { MAX_CONNECTIONS, MAX_NATIVE_CONNECTIONS_PER_ADDRESS } from '../limits.ts'

export interface ConnectionCap {
  /** Counts the connection until it closes, or says that there is no place for it. */
  admits(connection: Pick<MultiaddrConnection, 'remoteAddr' | 'addEventListener'>): boolean
}

export function createConnectionCap(options: { readonly maxPerAddress?: number; readonly maxInAll?: number } = {}): ConnectionCap {
  const { maxPerAddress = MAX_NATIVE_CONNECTIONS_PER_ADDRESS, maxInAll = MAX_CONNECTIONS } = options
  const counts = new Map<string, number>()
  let inAll = 0

  const release = (key: string | undefined): void => {
    inAll--
    if (key === undefined) return
    const left = (counts.get(key) ?? 1) - 1
    if (left === 0) counts.delete(key)
    else counts.set(key, left)
  }

  return {
    admits(connection) {
      if (inAll >= maxInAll) return false
      const address = nativeAddress(connection)
      const key = address === undefined || isLoopback(address) ? undefined : addressKey(address)
      if (key !== undefined) {
        const count = counts.get(key) ?? 0
        if (count >= maxPerAddress) return false
        counts.set(key, count + 1)
      }
      inAll++
      connection.addEventListener('close', () => release(key), { once: true })
      return true
    },
  }
}

/** The IP address of a connection over plain TCP, QUIC or WebRTC-direct. */
function nativeAddress({ remoteAddr }: Pick<MultiaddrConnection, 'remoteAddr'>): string | undefined {
  // QUIC knows the peer from the handshake and writes it behind the address.
  const kind = remoteAddr.getComponents().findLast(({ name }) => name !== 'p2p')?.name
  return kind === 'tcp' || kind === 'quic-v1' || kind === 'webrtc-direct' ? getNetConfig(remoteAddr).host : undefined
}

/** Tunnels and proxies on this machine bring everybody under its own address. */
function isLoopback(address: string): boolean {
  return /^(::ffff:)?127\./i.test(address) || address === '::1'
}
