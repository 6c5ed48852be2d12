/**
 * The bridge's own public addresses count from the start. libp2p keeps an address of an interface to itself until AutoNAT has confirmed it, unless it is
 * private: on a server whose interface has its public address nobody would be told of any but loopback. A bridge asks nobody, and what its operator
 * lets it listen on is meant; `--announce-addrs` says otherwise.
 */
import type { Libp2pEvents, Listener, Startable, TypedEventTarget } from '@libp2p/interface'
import type { AddressManager } from '@libp2p/interface-internal'

interface Components {
  readonly addressManager: Pick<AddressManager, 'confirmObservedAddr'>
  readonly events: TypedEventTarget<Libp2pEvents>
}

/** A libp2p service without an interface of its own. */
export function ownAddresses(): (components: Components) => Startable {
  return ({ addressManager, events }) => {
    const confirm = ({ detail }: CustomEvent<Listener>): void => {
      for (const address of detail.getAddrs()) addressManager.confirmObservedAddr(address, { type: 'transport' })
    }
    return {
      start: () => events.addEventListener('transport:listening', confirm),
      stop: () => events.removeEventListener('transport:listening', confirm),
    }
  }
}
