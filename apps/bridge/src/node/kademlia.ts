/**
 * The bridge in several Kademlia networks at once: one routing table for each protocol name, because peers of one do not answer the other.
 *
 * In server mode, which is to answer others, where the bridge can be reached: by a public address (libp2p judges that itself), one that the operator announces, or in a
 * network of private addresses that the operator opened. A server that nobody reaches is a hole in everybody's table.
 * Not here: what the tables are asked for (discovery), and what is answered about virtual peers (announce).
 */
import type { PeerDiscovery, PeerInfo } from '@libp2p/interface'
import { kadDHT, type KadDHT, type KadDHTComponents } from '@libp2p/kad-dht'
import { withReleasedStreams } from '@footbridge/protocols/service/released-streams'
import { replacing } from '@footbridge/protocols/service/replacing'
import { KadStore } from './kad-store.ts'
import { MAX_KAD_ENTRIES, MAX_KAD_VALUE_BYTES } from '../limits.ts'

export type KademliaName = `kademlia${number}`
export type Kademlias = Readonly<Record<KademliaName, KadDHT>>

export interface KademliaOptions {
  /** Protocol ids. */
  readonly protocols: readonly string[]
  /** Undefined to let a public address decide. */
  readonly clientMode: false | undefined
  /** What of a peer's addresses is told to others and kept. */
  readonly peerInfoMapper: (info: PeerInfo) => PeerInfo
}

/** Inbound streams of one connection: a look-up holds one, and peers keep theirs for the next question. */
const MAX_INBOUND_STREAMS = 16
const MAX_OUTBOUND_STREAMS = 64
/** A question comes at once after the stream or not at all. */
const INCOMING_MESSAGE_MS = 10_000

/** For libp2p's `services`. */
export function kademlias(options: KademliaOptions): Record<KademliaName, (components: KadDHTComponents) => KadDHT> {
  const { protocols, clientMode, peerInfoMapper } = options
  const services: Record<KademliaName, (components: KadDHTComponents) => KadDHT> = {}
  for (const [index, protocol] of protocols.entries()) {
    const store = new KadStore({ maxEntries: MAX_KAD_ENTRIES, maxValueBytes: MAX_KAD_VALUE_BYTES })
    const create = kadDHT({
      protocol,
      logPrefix: `libp2p:kad-dht-${index}`,
      metricsPrefix: `libp2p_kad_dht_${index}`,
      datastorePrefix: `/dht-${index}`,
      peerInfoMapper,
      maxInboundStreams: MAX_INBOUND_STREAMS,
      maxOutboundStreams: MAX_OUTBOUND_STREAMS,
      incomingMessageTimeout: INCOMING_MESSAGE_MS,
      ...(clientMode === false && { clientMode }),
    })
    services[`kademlia${index}`] = withReleasedStreams((components) => create(replacing(components, { datastore: () => store })))
  }
  return services
}

/** A node's own, each under the protocol name that it has there. */
export function kademliasOf(services: object): readonly { readonly protocol: string; readonly table: KadDHT & PeerDiscovery }[] {
  return Object.entries(services)
    .filter(([name]) => /^kademlia\d+$/.test(name))
    .map(([, service]) => service as KadDHT & PeerDiscovery & { readonly protocol: string })
    .map((table) => ({ protocol: table.protocol, table }))
}
