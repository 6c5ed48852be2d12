/**
 * Who may read `/metrics`: how much a bridge carries, for how many, and what it runs on is the operator's affair, and helps whoever wants to overload it. So
 * only this machine by default, and whom the operator names.
 *
 * This machine is also where proxies and tunnels end. A request from loopback that says it was forwarded, or that came by another name than this machine's, is
 * somebody else's. A proxy that hides both would open the page: such a one needs `--metrics off`, or a rule of its own.
 */
import type { IncomingMessage } from 'node:http'
import { BlockList, isIP } from 'node:net'
import type { MetricsReaders } from '../config/operation.ts'
import { isLoopback } from '../config/values.ts'
import { plainAddress, type ClientAddress } from './client-address.ts'

const FORWARDING_HEADERS = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'] as const

/** @param client as the trusted proxies say. */
export type MetricsAccess = (request: IncomingMessage, client: Pick<ClientAddress, 'ip'>) => boolean

export function createMetricsAccess(readers: MetricsReaders): MetricsAccess {
  if (readers === 'off') return () => false
  if (readers === 'public') return () => true
  const allowed = new BlockList()
  for (const range of readers) {
    const [address = '', prefix] = range.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) allowed.addAddress(address, family)
    else allowed.addSubnet(address, Number(prefix), family)
  }
  return ({ headers, socket }, { ip }) => {
    if (isIP(ip) === 0 || !allowed.check(ip, isIP(ip) === 6 ? 'ipv6' : 'ipv4')) return false
    const isForwarded = FORWARDING_HEADERS.some((name) => headers[name] !== undefined)
    // Nobody that we trust said for whom: the address is that of whoever forwarded.
    if (isForwarded && ip === plainAddress(socket.remoteAddress ?? '')) return false
    return !isLoopback(ip) || isLocalName(headers.host)
  }
}

function isLocalName(host: string | undefined): boolean {
  const name = host === undefined ? undefined : /^(\[[0-9a-f:.]+\]|[^:]+)(:\d+)?$/i.exec(host)?.[1]?.replaceAll(/^\[|\]$/g, '')
  return name !== undefined && (name.toLowerCase() === 'localhost' || (isIP(name) !== 0 && isLoopback(name)))
}
