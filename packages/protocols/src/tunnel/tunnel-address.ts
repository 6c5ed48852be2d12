/**
 * The multiaddr of an HTTPS tunnel: `/dns/bridge.example/tcp/443/tls/http/http-path/api%2Fv1%2Ftunnels`, and /p2p/ of the bridge. An HTTP origin and a
 * path, in the protocols that the multiaddr table has for them; no other transport takes it for its own.
 */
import type { Multiaddr } from '@multiformats/multiaddr'

/** The base URL, without a trailing slash; undefined for every other kind of address. */
export function tunnelUrl(address: Multiaddr): string | undefined {
  const components = address.getComponents()
  const [host, tcp, ...rest] = components
  const names = rest.map(({ name }) => name).join('/')
  if (host === undefined || tcp?.name !== 'tcp' || !/^(tls\/)?http\/http-path(\/p2p)?$/.test(names)) return undefined
  const name = { dns: host.value, dns4: host.value, dns6: host.value, ip4: host.value, ip6: `[${host.value}]` }[host.name]
  const path = rest.find((component) => component.name === 'http-path')?.value
  if (name === undefined || path === undefined) return undefined
  const url = `${names.startsWith('tls') ? 'https' : 'http'}://${name}:${tcp.value}/${path.replace(/^\/+|\/+$/g, '')}`
  return URL.canParse(url) ? url : undefined
}
