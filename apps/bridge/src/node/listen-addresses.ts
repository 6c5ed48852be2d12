/**
 * Where the node listens for native peers when `--listen-addrs` does not say: TCP on p2p-port, QUIC on the UDP port after it, WebRTC-direct on the next, 8081, 8082 and 8083 by default.
 * Not QUIC on the number of TCP, though that is the custom: the bridge answers STUN on that UDP port, and on the one of WebTransport, and quinn shares a socket with
 * nobody. A multiaddr names its port anyway.
 *
 * Pure but for the probe. Not here: WebSocket, the tunnel and WebTransport, which listen where the app does (create-node.ts).
 */
import { createSocket } from 'node:dgram'

export interface NativeListening {
  /** Each must be had. */
  readonly required: readonly string[]
  /** Done without where the port is taken: nobody asked for it by name. */
  readonly optional: readonly string[]
}

export function listenAddresses(settings: {
  readonly host: string
  readonly p2pPort: number
  readonly listenAddrs: readonly string[]
}): NativeListening {
  const { host, p2pPort, listenAddrs } = settings
  if (listenAddrs.length > 0) return { required: listenAddrs, optional: [] }
  const bases = host === '::' ? ['/ip4/0.0.0.0', '/ip6/::'] : [`/${versionOf(host)}/${host}`]
  const after = (by: number): number => (p2pPort === 0 ? 0 : p2pPort + by)
  return {
    required: bases.map((base) => `${base}/tcp/${p2pPort}`),
    optional: [
      ...bases.map((base) => `${base}/udp/${after(1)}/quic-v1`),
      ...bases.map((base) => `${base}/udp/${after(2)}/webrtc-direct`),
    ].filter((address) => Number(address.split('/')[4]) <= 65_535),
  }
}

export function versionOf(host: string): 'ip4' | 'ip6' {
  return host.includes(':') ? 'ip6' : 'ip4'
}

/** Tries the UDP port of a multiaddr and lets go of it. @returns why it cannot be had; undefined when it can. */
export async function probeUdp(address: string): Promise<string | undefined> {
  const [, version, host, , port] = address.split('/')
  const socket = createSocket({ type: version === 'ip6' ? 'udp6' : 'udp4', ipv6Only: version === 'ip6' })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ address: host ?? '', port: Number(port), exclusive: true }, resolve)
    })
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    await new Promise<void>((resolve) => {
      socket.close(resolve)
    })
  }
}
