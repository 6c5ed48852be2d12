/**
 * Listens at an address while the node runs. libp2p's own call says nothing of a failure, because a node that only dials is allowed to fail (its
 * reservation may come later), so the listener that was made is asked instead. Not here: the reservation (reserve.ts).
 */
import type { Listener } from '@libp2p/interface'
import type { TransportManager } from '@libp2p/interface-internal'
import { multiaddr } from '@multiformats/multiaddr'
import { FootbridgeError } from '@footbridge/shared/errors'

export function createListen(manager: TransportManager): (address: string) => Promise<Listener> {
  /** One after the other: who made which listener is seen by what is there afterwards. */
  let last: Promise<unknown> = Promise.resolve()

  const listen = async (text: string): Promise<Listener> => {
    const address = multiaddr(text)
    if (manager.listenTransportForMultiaddr(address) === undefined)
      throw new FootbridgeError('bad_request', `no transport here listens on ${text}`)
    const before = new Set(manager.getListeners())
    await manager.listen([address])
    const made = manager.getListeners().filter((listener) => !before.has(listener))
    const open = made.find((listener) => listener.getAddrs().length > 0)
    if (open !== undefined) return open
    await Promise.all(made.map((listener) => listener.close().catch(() => undefined)))
    throw new FootbridgeError('unavailable', `it was not possible to listen on ${text}`)
  }

  return (address) => {
    const next = last.then(() => listen(address))
    last = next.catch(() => undefined)
    return next
  }
}
