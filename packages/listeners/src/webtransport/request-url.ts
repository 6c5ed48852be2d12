/**
 * Which request is one for libp2p: the specification's path, and one query parameter, `type=noise`, and nothing else.
 */

export const WEBTRANSPORT_PATH = '/.well-known/libp2p-webtransport'

/** @param url as the client asked for it. */
export function isLibp2pRequest(url: string): boolean {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  return parsed !== undefined && parsed.pathname === WEBTRANSPORT_PATH && parsed.search === '?type=noise'
}
