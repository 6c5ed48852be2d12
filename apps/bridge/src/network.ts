/**
 * What makes the network see the bridge and its virtual peers: the part of the composition root for discovery, rendezvous, announcing and gossip.
 * Made by bridge.ts after the node, started after it and stopped before it. Features meet here and not in each other.
 * Not here: the transports and protocols of the node itself (node/create-node.ts), and who may be dialled (node/dial-policy.ts).
 */
import { createRendezvousClient } from '@footbridge/protocols/rendezvous/rendezvous-client'
import { decodePeerRecord, UC_DISCOVERY_TOPIC } from '@footbridge/protocols/uc-discovery/peer-record'
import { MAX_ANNOUNCED_ADDRESSES } from '@footbridge/shared/limits'
import type { Storage } from '@footbridge/storage/ports'
import type { Message } from '@libp2p/gossipsub'
import type { Ed25519PrivateKey, PeerInfo } from '@libp2p/interface'
import multicastDns from 'multicast-dns'

import { createAnnounce } from './announce/announce.ts'
import type { KademliaPlace } from './announce/kademlia-place.ts'
import { createMdnsPlace } from './announce/mdns-place.ts'
import { createRendezvousPlace } from './announce/rendezvous-place.ts'
import type { Config } from './config/config.ts'
import { createDiscovery, type Discovery } from './discovery/discovery.ts'
import { createMemory } from './discovery/memory.ts'
import type { NetworkStatus } from './discovery/network-status.ts'
import { createGossip } from './gossip/gossip.ts'
import type { Addresses } from './node/addresses.ts'
import type { BridgeNode } from './node/create-node.ts'
import type { DialPolicy } from './node/dial-policy.ts'
import { kademliasOf } from './node/kademlia.ts'
import type { Registry } from './peers/registry.ts'
import { networkOf } from './relay/scopes.ts'
import { createRendezvous } from './rendezvous/rendezvous.ts'
import { gossipMetrics } from './telemetry/gossip-metrics.ts'
import type { Log } from './telemetry/log.ts'
import type { MetricFamily } from './telemetry/metrics.ts'
import { rendezvousMetrics } from './telemetry/rendezvous-metrics.ts'

export interface NetworkParts {
  /** Made, and not started yet when the network is made. */
  readonly node: BridgeNode
  readonly privateKey: Ed25519PrivateKey
  readonly dialPolicy: DialPolicy
  readonly registry: Registry
  /** Made before the node, whose DHTs answer by it. */
  readonly kademlia: KademliaPlace
  /** `dataDir` is where discovery remembers. */
  readonly config: Config
  readonly storage: Storage
  /** The bridge's own addresses, as others are told. */
  readonly addresses: Addresses
  readonly log: Log
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  readonly randomBytes: (length: number) => Uint8Array
}

export interface Network {
  /** What it counts. */
  readonly metrics: readonly MetricFamily[]
  /** Every peer that somebody told of. */
  readonly book: Discovery['book']
  /** How the bridge itself stands in the network. */
  status(): NetworkStatus
  /** Somebody said by mDNS that they are there. */
  heardOnLan(peer: PeerInfo): void
  /** Once, after the node has started. */
  start(): Promise<void>
  /** Idempotent. */
  stop(): Promise<void>
}

export function createNetwork(parts: NetworkParts): Network {
  const { node, privateKey, dialPolicy, registry, kademlia, config, addresses, log, clock, randomBytes } = parts
  /** What has been started, to be stopped in reverse. */
  const stack = new AsyncDisposableStack()
  let stopping: Promise<void> | undefined

  const rendezvous = createRendezvous({
    node,
    registry,
    bridgePeer: node.peerId.toString(),
    networkOf,
    onRegistered: ({ peer, addresses: told }) => discovery.heard(peer.toString(), told, 'rendezvous'),
    clock,
    randomBytes,
  })
  const meeting = createRendezvousPlace({
    namespaces: () => config.rendezvousNamespaces,
    registrar: rendezvous,
    onError: (error) => log.warn({ err: error }, 'virtual peers could not be registered again'),
  })
  const mdns = createMdnsPlace({
    tags: () => (config.mdns ? config.mdnsTags : []),
    open: () => multicastDns(),
    randomName: () => Buffer.from(randomBytes(16)).toString('hex'),
    now: () => performance.now(),
    onError: (error) => log.warn({ err: error }, 'virtual peers are not told on the local network'),
  })
  /** Places that failed: told once, not for each peer and try. */
  const failed = new Set<string>()
  const announce = createAnnounce({
    node,
    registry,
    places: [meeting, kademlia, mdns],
    topics: () => [UC_DISCOVERY_TOPIC],
    ownCircuits: () =>
      addresses
        .reservationAddresses()
        .slice(0, MAX_ANNOUNCED_ADDRESSES)
        .map((address) => `${address.toString()}/p2p-circuit`),
    clock,
    onError(error, place) {
      if (!failed.has(place)) log.warn({ err: error, place }, 'virtual peers cannot be announced there; tried again by itself')
      failed.add(place)
    },
  })
  const onOwnAddresses = (): void => announce.ownAddressesChanged()

  const { pubsub, relay } = node.services
  const gossip = createGossip({
    pubsub,
    node,
    registry,
    charge: (peer, bytes) => relay.beside.charge(peer, bytes),
    configured: config.gossipTopics,
    clock,
  })

  const discovery = createDiscovery({
    node,
    circuits: node.services.circuits,
    rendezvous: (own) => createRendezvousClient({ node, privateKey, addresses: own, clock }),
    policy: dialPolicy,
    memory: createMemory({ dataDir: config.dataDir, clock }),
    bootstrapAddrs: config.bootstrapAddrs,
    rendezvousAddrs: config.rendezvousAddrs,
    relayAddrs: config.relayAddrs,
    namespaces: config.rendezvousNamespaces,
    isSession: (peer) => registry.get(peer) !== undefined,
    clock,
    random: () => Buffer.from(randomBytes(4)).readUInt32BE() / 2 ** 32,
    onError: (what, error) => log.debug({ err: error }, `discovery: ${what}`),
  })
  const onKademlia = ({ detail: { id, multiaddrs } }: CustomEvent<PeerInfo>): void => discovery.heard(id.toString(), multiaddrs, 'kademlia')
  const onGossip = ({ detail: { topic, data } }: CustomEvent<Message>): void => {
    if (topic !== UC_DISCOVERY_TOPIC) return
    try {
      const { peer, addresses: told } = decodePeerRecord(data)
      discovery.heard(peer.toString(), told, 'gossip')
    } catch {
      // Anybody may write anything there; whoever writes it does so to everybody, and that is no news for the log.
    }
  }

  return {
    metrics: [...rendezvousMetrics(rendezvous), ...gossipMetrics(gossip)],
    book: discovery.book,
    status: () => discovery.networkStatus(),
    heardOnLan: ({ id, multiaddrs }) => discovery.heard(id.toString(), multiaddrs, 'mdns'),
    async start() {
      // Whole, with the peer's id, so that they can be given to another program as they are.
      log.info({ addresses: node.getMultiaddrs().map(String) }, 'listening')
      stack.defer(() => gossip.stop())
      gossip.start()
      stack.defer(() => rendezvous.stop())
      await rendezvous.start()
      stack.defer(() => meeting.stop())
      meeting.start()
      stack.defer(() => mdns.stop())
      mdns.start()
      stack.defer(() => announce.stop())
      await announce.start()
      stack.defer(() => node.removeEventListener('self:peer:update', onOwnAddresses))
      node.addEventListener('self:peer:update', onOwnAddresses)
      for (const { table } of kademliasOf(node.services)) {
        stack.defer(() => table.removeEventListener('peer', onKademlia))
        table.addEventListener('peer', onKademlia)
      }
      stack.defer(() => pubsub.removeEventListener('message', onGossip))
      pubsub.addEventListener('message', onGossip)
      stack.defer(() => discovery.stop())
      await discovery.start()
    },
    stop: () => (stopping ??= stack.disposeAsync()),
  }
}
