/**
 * The bridge as a relay's client: it reserves on another relay, which others then dial it through. libp2p's transport makes and renews the reservation when it is told to listen at
 * `<relay>/p2p-circuit`; this is how it is told at any time, and how the end of a reservation is heard of.
 *
 * A circuit listener is never closed: closing one ends the reservations of all. One that has lost its relay listens at the next instead, so that there are no more than were ever
 * needed at once.
 * Not here: on which relays to reserve (discovery/helpers.ts).
 */
import type { Libp2pEvents, Listener, Startable, TypedEventTarget } from '@libp2p/interface'
import type { AddressManager, NodeAddress, TransportManager } from '@libp2p/interface-internal'
import type { Multiaddr } from '@multiformats/multiaddr'

export interface Circuits {
  /** @param relay where it is connected, with its /p2p/. @throws when it refuses, or cannot be asked. */
  reserve(relay: Multiaddr): Promise<void>
  /** The relays that hold a reservation of ours, by PeerID. */
  relays(): readonly string[]
  /** Every address of the node, circuits among them, and what libp2p knows of each. */
  ownAddresses(): readonly NodeAddress[]
  /** Told after every change of `relays`. @returns its undo. */
  subscribe(listener: () => void): () => void
}

interface Components {
  readonly addressManager: Pick<AddressManager, 'getAddressesWithMetadata'>
  readonly transportManager: Pick<TransportManager, 'listen' | 'getListeners'>
  readonly events: TypedEventTarget<Libp2pEvents>
}

/** A libp2p service. */
export function circuits(): (components: Components) => Circuits & Startable {
  return ({ addressManager, transportManager, events }) => {
    /** Those of circuits, also while they listen nowhere. */
    const made = new Set<Listener>()
    const busy = new Set<Listener>()
    const subscribers = new Set<() => void>()
    let before = ''
    let last: Promise<unknown> = Promise.resolve()

    const relays = (): string[] => reservedOn(transportManager.getListeners())
    const onChange = (): void => {
      const now = relays().sort().join(' ')
      if (now === before) return
      before = now
      for (const subscriber of subscribers) subscriber()
    }

    const listen = async (address: Multiaddr): Promise<void> => {
      const idle = [...made].find((listener) => !busy.has(listener) && listener.getAddrs().length === 0)
      if (idle === undefined) {
        const others = new Set(transportManager.getListeners())
        try {
          await transportManager.listen([address])
        } finally {
          // It stays with the transport manager when it failed, too.
          for (const listener of transportManager.getListeners()) if (!others.has(listener)) made.add(listener)
        }
        return
      }
      busy.add(idle)
      try {
        await idle.listen(address)
      } finally {
        busy.delete(idle)
      }
    }

    return {
      relays,
      ownAddresses: () => addressManager.getAddressesWithMetadata(),
      reserve(relay) {
        // One after the other, so that each knows the listener that it made.
        const mine = last.then(async () => {
          const peer = relay.getComponents().findLast(({ name }) => name === 'p2p')?.value
          if (peer !== undefined && relays().includes(peer)) return
          const address = relay.encapsulate('/p2p-circuit')
          try {
            await listen(address)
          } catch (error) {
            // The transport looks at every relay that it meets whether it wants one by itself, which it never does here; whoever asks meanwhile gets that answer.
            if (!String(error).includes('do not need any more relays')) throw error
            await listen(address)
          }
          if (peer === undefined || !relays().includes(peer)) throw new Error('the relay has taken the reservation and given no address')
        })
        last = mine.catch(() => {})
        return mine
      },
      subscribe(subscriber) {
        subscribers.add(subscriber)
        return () => {
          subscribers.delete(subscriber)
        }
      },
      start() {
        events.addEventListener('transport:listening', onChange)
        events.addEventListener('transport:close', onChange)
      },
      stop() {
        events.removeEventListener('transport:listening', onChange)
        events.removeEventListener('transport:close', onChange)
      },
    }
  }
}

/** The relays that hold a reservation, by PeerID. @param listeners all that the node has. */
export function reservedOn(listeners: readonly Pick<Listener, 'getAddrs'>[]): string[] {
  return [...new Set(listeners.flatMap((listener) => listener.getAddrs()).flatMap((address) => relayOf(address) ?? []))]
}

/** Undefined for an address that is no circuit's. */
function relayOf(address: Multiaddr): string | undefined {
  const components = address.getComponents()
  const circuit = components.findIndex(({ name }) => name === 'p2p-circuit')
  return circuit < 0 ? undefined : components.slice(0, circuit).findLast(({ name }) => name === 'p2p')?.value
}
