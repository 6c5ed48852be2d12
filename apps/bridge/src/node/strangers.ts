/**
 * Keeps libp2p's peer store small. It keeps what identify learned of every visitor, and what Kademlia heard of peers that nobody has met, for hours, and anybody can make either
 * as many as they like. So a peer is forgotten when it leaves, and of those that were never here only the latest stay. Whoever carries a tag is somebody's business and stays.
 */
import type { Libp2p, Libp2pEvents, PeerId } from '@libp2p/interface'
import { MAX_PEERS_HEARD_OF } from '../limits.ts'

export interface Strangers {
  start(): void
  /** Idempotent. */
  stop(): void
}

type Node = Pick<Libp2p, 'addEventListener' | 'removeEventListener' | 'peerStore' | 'getConnections' | 'peerId'>

export function createStrangers(node: Node, options: { readonly maxHeardOf?: number } = {}): Strangers {
  const { maxHeardOf = MAX_PEERS_HEARD_OF } = options
  /** Not connected, in the order in which they were heard of last. */
  const heardOf = new Map<string, PeerId>()

  const forget = async (peer: PeerId): Promise<void> => {
    const known = await node.peerStore.get(peer).catch(() => undefined)
    if (known === undefined || known.tags.size > 0 || node.getConnections(peer).length > 0) return
    await node.peerStore.delete(peer)
  }

  const onUpdate = ({ detail: { peer } }: Libp2pEvents['peer:update']): void => {
    const { id } = peer
    if (id.equals(node.peerId) || node.getConnections(id).length > 0) return
    const name = id.toString()
    heardOf.delete(name)
    heardOf.set(name, id)
    const [oldest] = heardOf
    if (heardOf.size <= maxHeardOf || oldest === undefined) return
    heardOf.delete(oldest[0])
    forget(oldest[1]).catch(() => {})
  }
  const onConnect = ({ detail: peer }: Libp2pEvents['peer:connect']): void => {
    heardOf.delete(peer.toString())
  }
  const onDisconnect = ({ detail: peer }: Libp2pEvents['peer:disconnect']): void => {
    forget(peer).catch(() => {})
  }

  return {
    start() {
      node.addEventListener('peer:update', onUpdate)
      node.addEventListener('peer:connect', onConnect)
      node.addEventListener('peer:disconnect', onDisconnect)
    },
    stop() {
      node.removeEventListener('peer:update', onUpdate)
      node.removeEventListener('peer:connect', onConnect)
      node.removeEventListener('peer:disconnect', onDisconnect)
      heardOf.clear()
    },
  }
}
