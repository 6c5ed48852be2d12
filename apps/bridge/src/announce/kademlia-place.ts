/**
 * Kademlia: whoever asks the bridge for a virtual peer by its PeerID (FIND_NODE) is answered with the circuit addresses that the peer signed. The table of a DHT holds
 * only peers that answer queries themselves, which a browser does not; a peer look-up needs no more than that the node nearest in the question knows the answer.
 *
 * js-libp2p answers from its peer store, where identify has put every peer that is connected, hidden or not. So each of the bridge's DHTs passes what it is about to say
 * through `answers`, which leaves of a session what it announced, and nothing of one that announced nothing.
 */
import type { PeerInfo, PeerStore } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Carried } from './announcement.ts'
import type { Place } from './place.ts'

export interface KademliaPlace extends Place {
  /** Wraps a DHT's `peerInfoMapper`. */
  answers(mapper: PeerInfoMapper): PeerInfoMapper
}

export type PeerInfoMapper = (info: PeerInfo) => PeerInfo

export interface KademliaPlaceDependencies {
  /** Protocol names of the DHTs that the bridge runs. */
  readonly protocols: () => readonly string[]
  readonly bridgePeer: string
  readonly isSession: (peer: string) => boolean
  readonly peerStore: () => Pick<PeerStore, 'consumePeerRecord'>
}

export function createKademliaPlace({ protocols, bridgePeer, isSession, peerStore }: KademliaPlaceDependencies): KademliaPlace {
  const announced = new Map<string, readonly Multiaddr[]>()
  const ownCircuit = `/p2p/${bridgePeer}/p2p-circuit`

  /** What a DHT has learned elsewhere of a peer that was here is as old as its session. */
  const isElsewhere = (address: Multiaddr): boolean => !address.toString().includes(ownCircuit)

  return {
    name: 'kademlia',
    names: protocols,
    async announce({ peer, envelope, addresses }: Carried): Promise<'announced'> {
      // A look-up begins in the store. What stands there may have a higher number, from identify: being there is what counts.
      await peerStore().consumePeerRecord(envelope)
      announced.set(peer, addresses)
      return 'announced'
    },
    withdraw(peer) {
      announced.delete(peer)
    },
    answers: (mapper) => (info) => {
      const peer = info.id.toString()
      const own = announced.get(peer)
      // Past the DHT's mapper, which drops what is not public: these lead to the bridge that was asked, at addresses that it tells of itself.
      if (own !== undefined) return { ...info, multiaddrs: [...own] }
      return mapper({ ...info, multiaddrs: isSession(peer) ? [] : info.multiaddrs.filter(isElsewhere) })
    },
  }
}
