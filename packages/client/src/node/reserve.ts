/**
 * Makes a reservation on the bridge, again and again, through the stock circuit-relay-v2 transport.
 * The stock client reserves once and never again after a lost connection (pitfall A2.1), black-lists a relay after one failure (A2.4) and trusts the
 * device's clock for the refresh (A2.3). So: its one listener is asked again to listen, its black list is replaced by one that never
 * matches, and the refresh is asked for by the supervisor. Direct connections to others live on meanwhile, which a fresh node would cut.
 */
import type { Listener, PeerId } from '@libp2p/interface'
import type { TransportManager } from '@libp2p/interface-internal'
import { multiaddr } from '@multiformats/multiaddr'
import { FootbridgeError } from '@footbridge/shared/errors'
import { withDeadline } from '@footbridge/protocols/deadline'

const RESERVE_TIMEOUT_MS = 12_000

/** What is used of the transport's public `reservationStore`. */
export interface ReservationStoreAccess {
  hasReservation(peer: PeerId): boolean
  /** `expire`: seconds since the epoch, by the relay's clock. */
  getReservation(peer: PeerId): { readonly expire: bigint } | undefined
  cancelReservations(): void
}

export interface Reserve {
  /**
   * Asks the bridge, over the connection that is open to it. Replaces a reservation that is there.
   * @returns when it ends: milliseconds since the epoch, the bridge's clock.
   * @throws FootbridgeError `unauthorized` when the bridge refuses, `timeout`, `unreachable`, `aborted`
   */
  (bridge: PeerId, signal: AbortSignal): Promise<number>
}

export function createReserve(transportManager: TransportManager, store: ReservationStoreAccess): Reserve {
  // A private field, so by name; reserve.test.ts fails when a new version renames it.
  if (!Reflect.has(store, 'relayFilter')) throw new TypeError('circuit-relay-v2 has changed: its reservation store has no relayFilter')
  Reflect.set(store, 'relayFilter', { add: () => false, has: () => false, remove: () => false })

  let listener: Listener | undefined

  const listen = async (target: string): Promise<void> => {
    const address = multiaddr(target)
    if (listener !== undefined && transportManager.getListeners().includes(listener)) return listener.listen(address)
    const before = new Set(transportManager.getListeners())
    await transportManager.listen([address])
    listener = transportManager.getListeners().find((other) => !before.has(other))
  }

  return async (bridge, signal) => {
    store.cancelReservations()
    // By name: libp2p takes a listen address for a circuit only over addresses that it knows, and the link is there.
    const target = `/p2p/${bridge.toString()}/p2p-circuit`
    try {
      await withDeadline({ timeoutMs: RESERVE_TIMEOUT_MS, what: 'the reservation', signal }, () => listen(target))
    } catch (error) {
      if (error instanceof FootbridgeError) throw error
      const refused = /PERMISSION_DENIED|RESERVATION_REFUSED/.test(String(error))
      throw new FootbridgeError(refused ? 'unauthorized' : 'unreachable', 'the bridge gave no reservation', { cause: error })
    }
    const reservation = store.getReservation(bridge)
    // With faults tolerated, `listen` resolves although nothing was reserved.
    if (reservation === undefined) throw new FootbridgeError('unauthorized', 'the bridge gave no reservation')
    return Number(reservation.expire) * 1000
  }
}
