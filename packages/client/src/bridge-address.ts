/** From a bridge's origin to where its libp2p listens, for a device that has no session to tell it. */

/** The bridge's libp2p stands on the root path of its HTTP port (docs/protocol.md, 3). */
export function webSocketAddress(bridgeUrl: string, bridgePeer: string): string {
  const { protocol, hostname, port } = new URL(bridgeUrl)
  const isSecure = protocol === 'https:'
  const host = hostname.startsWith('[')
    ? `/ip6/${hostname.slice(1, -1)}`
    : /^[\d.]+$/.test(hostname)
      ? `/ip4/${hostname}`
      : `/dns/${hostname}`
  return `${host}/tcp/${port || (isSecure ? 443 : 80)}${isSecure ? '/tls' : ''}/ws/p2p/${bridgePeer}`
}
