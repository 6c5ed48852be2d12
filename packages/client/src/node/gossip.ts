/**
 * Gossipsub on a node that runs already: made with the first room or topic, so that nobody else pays for it; whoever needs it imports this module then.
 * Signed messages only; the message id is the default of the meshsub protocols, sender and sequence number.
 *
 * Never on limited connections: a circuit's one stream of gossip would go deaf when the circuit ends (pitfall A4.2). The bridge is the mesh peer, over
 * the first hop, which is not limited; direct connections mesh as well. Two repairs that gossipsub 17 needs: it hears of no connection that was open
 * before it, and opens no other stream when the one it has ends while the peer stays connected, as when the first hop moves.
 */
import { gossipsub, type GossipSub, type GossipSubComponents, type Message } from '@libp2p/gossipsub'
import type { Connection, Topology } from '@libp2p/interface'

/** One frame of gossip, which may hold several messages. */
const MAX_GOSSIP_FRAME_BYTES = 4 * 1024 * 1024
/** Streams of one connection: gossip uses one each way, and a second while one is being left. */
const MAX_STREAMS = 4
/** Tries to open the stream that is missing on one connection: gossipsub queues them, and one that is refused may take ten seconds. */
const MAX_MENDS = 5

export interface Gossip {
  readonly pubsub: GossipSub
  /** Says it to whoever is there. @returns the id that the message has for everybody, and how many peers it went to. */
  publish(topic: string, data: Uint8Array): Promise<Published>
  /** Peers that this device exchanges whole messages of the topic with; empty for one that it is not subscribed to. */
  meshPeers(topic: string): readonly string[]
  start(): Promise<void>
  /** Idempotent. */
  stop(): Promise<void>
}

export interface Published {
  readonly id: string
  readonly recipients: number
}

/** What is read of the service beside its interface; gossip.test.ts fails when a new version renames it. */
interface Inner {
  msgIdFn(message: Message): Uint8Array | Promise<Uint8Array>
  msgIdToStrFn(id: Uint8Array): string
  getMeshPeers(topic: string): string[]
  readonly protocols: readonly string[]
  readonly peers: ReadonlyMap<string, unknown>
  readonly streamsOutbound: ReadonlyMap<string, unknown>
  start(): Promise<void>
  stop(): Promise<void>
}

export function createGossip(components: GossipSubComponents): Gossip {
  const { registrar, connectionManager, peerStore } = components
  const pubsub = gossipsub({
    globalSignaturePolicy: 'StrictSign',
    runOnLimitedConnection: false,
    emitSelf: false,
    allowPublishToZeroTopicPeers: true,
    fallbackToFloodsub: false,
    maxInboundDataLength: MAX_GOSSIP_FRAME_BYTES,
    maxInboundStreams: MAX_STREAMS,
    maxOutboundStreams: MAX_STREAMS,
    // Everybody who comes through one bridge or one NAT has one address.
    scoreParams: { IPColocationFactorWeight: 0 },
  })(components)
  const inner = pubsub as unknown as Inner
  // Publishing does not tell the id of what was published.
  const ids = new WeakMap<Uint8Array, string>()
  const idOf = inner.msgIdFn.bind(inner)
  inner.msgIdFn = async (message) => {
    const id = await idOf(message)
    if (ids.has(message.data)) ids.set(message.data, inner.msgIdToStrFn(id))
    return id
  }
  const mended = new WeakMap<Connection, number>()
  let isStarted = false

  const usable = ({ status, limits }: Connection): boolean => status === 'open' && limits === undefined

  const tell = (connection: Connection): void => {
    for (const protocol of inner.protocols)
      for (const topology of registrar.getTopologies(protocol) as Topology[]) void topology.onConnect?.(connection.remotePeer, connection)
  }

  const tellOfOpen = async (): Promise<void> => {
    for (const connection of connectionManager.getConnections().filter(usable)) {
      const known = await peerStore.get(connection.remotePeer).catch(() => undefined)
      if (known?.protocols.some((protocol) => inner.protocols.includes(protocol)) === true) tell(connection)
    }
  }

  const mend = (): void => {
    for (const peer of inner.peers.keys()) {
      if (inner.streamsOutbound.has(peer)) continue
      const connection = connectionManager.getConnections().find((other) => other.remotePeer.toString() === peer && usable(other))
      const tries = connection === undefined ? 0 : (mended.get(connection) ?? 0)
      if (connection === undefined || tries >= MAX_MENDS) continue
      mended.set(connection, tries + 1)
      tell(connection)
    }
  }

  return {
    pubsub,
    async publish(topic, data) {
      const own = data.slice()
      ids.set(own, '')
      const { recipients } = await pubsub.publish(topic, own)
      return { id: ids.get(own) ?? '', recipients: recipients.length }
    },
    meshPeers: (topic) => inner.getMeshPeers(topic),
    async start() {
      await inner.start()
      isStarted = true
      pubsub.addEventListener('gossipsub:heartbeat', mend)
      await tellOfOpen()
    },
    async stop() {
      if (!isStarted) return
      isStarted = false
      pubsub.removeEventListener('gossipsub:heartbeat', mend)
      await inner.stop()
      // It closes its own side alone; to the other the stream would look open, and a next one never come.
      for (const connection of connectionManager.getConnections())
        for (const stream of connection.streams.filter(({ protocol }) => inner.protocols.includes(protocol)))
          stream.abort(new Error('nobody gossips here any more'))
    },
  }
}
