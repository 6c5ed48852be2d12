/**
 * What all tunnels together keep in memory: for writers until it is acknowledged, for readers until they take it. Each is bounded by its windows; a thousand
 * of them at once would still be more than a small server has. Who keeps most then is ended, and told to come back.
 * Not here: the bound of one tunnel (packages/shared/src/tunnel).
 */
import { WebSocketCloseError } from '../websocket/close-error.ts'
import type { Tunnel } from './tunnel.ts'

/** 1013 of RFC 6455's registry: try again later. */
const TRY_AGAIN_LATER = 1013

/** @returns what is to be called with a tunnel whenever what it keeps may have changed. */
export function createHeldBytes(maxBytes: number): (tunnel: Tunnel) => void {
  const counts = new Map<Tunnel, number>()
  let total = 0

  const count = (tunnel: Tunnel): void => {
    const { held } = tunnel.connection.pipe
    total += held - (counts.get(tunnel) ?? 0)
    if (held === 0) counts.delete(tunnel)
    else counts.set(tunnel, held)
  }

  return (tunnel) => {
    count(tunnel)
    if (total <= maxBytes) return
    // Readers that went on meanwhile did not say so.
    for (const each of counts.keys()) count(each)
    if (total <= maxBytes) return
    const [most] = [...counts].reduce((one, other) => (other[1] > one[1] ? other : one))
    most.connection.abort(new WebSocketCloseError(TRY_AGAIN_LATER, 'the bridge keeps too much for its tunnels'))
  }
}
