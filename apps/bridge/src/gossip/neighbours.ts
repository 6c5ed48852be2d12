/**
 * Native peers that are in a room beside a session's own: the bridge is their mesh peer, so that a device, whose one neighbour is the bridge, can see who else
 * is there and fetch what they offer. Only for whoever is in that room; people with a session are not told of, each has said who may find them.
 * Not here: HTTP (routes.ts).
 */
import type { GossipSub } from '@libp2p/gossipsub'
import type { Libp2p } from '@libp2p/interface'
import { MAX_NEIGHBOUR_ADDRESSES, MAX_NEIGHBOURS, type Neighbour } from '@footbridge/shared/room-neighbours'
import type { Registry } from '../peers/registry.ts'

export interface NeighboursDependencies {
  readonly pubsub: Pick<GossipSub, 'getSubscribers'>
  readonly node: Pick<Libp2p, 'peerStore'>
  readonly registry: Pick<Registry, 'get'>
}

/** @returns undefined when the asker is not in that room. */
export type Neighbours = (asker: string, topic: string) => Promise<readonly Neighbour[] | undefined>

export function createNeighbours({ pubsub, node, registry }: NeighboursDependencies): Neighbours {
  return async (asker, topic) => {
    const subscribers = pubsub.getSubscribers(topic)
    if (!subscribers.some((peer) => peer.toString() === asker)) return undefined
    const natives = subscribers.filter((peer) => registry.get(peer.toString()) === undefined).slice(0, MAX_NEIGHBOURS)
    return Promise.all(
      natives.map(async (peer) => {
        const id = peer.toString()
        const known = await node.peerStore.get(peer).catch(() => undefined)
        const addresses = (known?.addresses ?? []).slice(0, MAX_NEIGHBOUR_ADDRESSES).map(({ multiaddr }) => {
          const text = multiaddr.toString()
          return text.endsWith(`/p2p/${id}`) ? text : `${text}/p2p/${id}`
        })
        return { peer: id, addresses }
      }),
    )
  }
}
