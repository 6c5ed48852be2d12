/**
 * Discovery: hears what the libp2p node and others tell of peers, writes it into the book, dials whom it should, and tells the states of helpers what happened. One place where the facts
 * come together; what follows from them is decided in helpers.ts and reachability.ts, which are pure, and done in help.ts.
 *
 * Who is dialled: peers of the settings, always; whom mDNS or a rendezvous point found, at their direct addresses; those met before, at a start. What Kademlia and gossip tell is
 * noted only: they dial whom they need. Circuits are noted and not dialled, because an idle one costs its relay and serves nobody.
 * Virtual peers of this bridge are in the registry of sessions and never here.
 */
import type { IdentifyResult, Libp2p, Libp2pEvents } from '@libp2p/interface'
import type { NodeAddress } from '@libp2p/interface-internal'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { createBook, type Book } from './book.ts'
import { createDials } from './dials.ts'
import { createHelp, TAG } from './help.ts'
import { createKept } from './kept.ts'
import { MAX_START_DIALS, MEMORY_SAVE_MS, REACHABILITY_GRACE_MS, TICK_MS } from './limits.ts'
import type { Memory } from './memory.ts'
import { summarizeNetwork, type NetworkStatus } from './network-status.ts'
import { createOwnStanding } from './own-standing.ts'
import { addressesByPeer, withPeer } from './peer-addresses.ts'
import { createPoints, type PointClient } from './points.ts'
import { decideReachability, isCircuit } from './reachability.ts'
import { RELAY_PROTOCOL, RENDEZVOUS_PROTOCOL, type Source } from './record.ts'

export interface Discovery {
  readonly book: Pick<Book, 'list' | 'get' | 'subscribe'>
  /** Somebody told of a peer. */
  heard(peer: string, addresses: readonly Multiaddr[], source: Exclude<Source, 'configured' | 'connection'>): void
  networkStatus(): NetworkStatus
  /** Once, after the node has started. */
  start(): Promise<void>
  /** Idempotent; takes the bridge out of the rendezvous points and writes down what it knows. */
  stop(): Promise<void>
}

/** What is used of the node. */
export type DiscoveryNode = Pick<
  Libp2p,
  'peerId' | 'dial' | 'getConnections' | 'getMultiaddrs' | 'addEventListener' | 'removeEventListener'
> & { readonly peerStore: Pick<Libp2p['peerStore'], 'merge'> }

/** What is used of node/circuits.ts. */
export interface CircuitPort {
  reserve(relay: Multiaddr): Promise<void>
  relays(): readonly string[]
  ownAddresses(): readonly NodeAddress[]
  subscribe(listener: () => void): () => void
}

/** What is used of node/dial-policy.ts. */
export interface AddressPolicy {
  allows(address: Multiaddr): boolean
  allowsTold(address: Multiaddr): boolean
  isOfUse(address: Multiaddr): boolean
  heardOnLan(addresses: readonly Multiaddr[]): void
}

export interface DiscoveryDependencies {
  readonly node: DiscoveryNode
  readonly circuits: CircuitPort
  /** @param addresses what its registrations say. */
  readonly rendezvous: (addresses: () => readonly Multiaddr[]) => PointClient
  readonly policy: AddressPolicy
  readonly memory: Memory
  /** Of the settings; each ends in /p2p/. */
  readonly bootstrapAddrs: readonly string[]
  readonly rendezvousAddrs: readonly string[]
  readonly relayAddrs: readonly string[]
  readonly namespaces: readonly string[]
  readonly isSession: (peer: string) => boolean
  readonly clock: () => number
  /** From 0 to 1. */
  readonly random: () => number
  /** Told of what failed, in words that fit after "discovery: ". */
  readonly onError: (what: string, error: unknown) => void
  readonly graceMs?: number
}

export function createDiscovery(dependencies: DiscoveryDependencies): Discovery {
  const { node, circuits, policy, memory, clock, random, isSession, onError, graceMs = REACHABILITY_GRACE_MS } = dependencies
  const self = node.peerId.toString()
  const book = createBook({ clock })
  const configured = addressesByPeer([...dependencies.bootstrapAddrs, ...dependencies.rendezvousAddrs, ...dependencies.relayAddrs], self)
  const operatorsRelays = new Set(addressesByPeer(dependencies.relayAddrs, self).keys())
  const operatorsPoints = new Set(addressesByPeer(dependencies.rendezvousAddrs, self).keys())
  const own = createOwnStanding({ self, addresses: () => circuits.ownAddresses(), isOfUse: (address) => policy.isOfUse(address) })
  const undo: (() => void)[] = []
  let outSince: number | undefined
  let directUpgrades = 0
  let toldAddresses = ''
  let isDirty = false
  let saving: Promise<void> = Promise.resolve()
  let isStopping = false
  let stopped: Promise<void> | undefined

  const help = createHelp({
    node,
    points: createPoints({ client: dependencies.rendezvous(() => own.registrable()), namespaces: dependencies.namespaces }),
    reserve: (relay) => circuits.reserve(relay),
    onReserved: () => lookAtOurselves(),
    onFound: (peer, addresses) => heard(peer, addresses, 'rendezvous'),
    onError,
    clock,
  })

  const lookAtOurselves = (): void => {
    const reachability = decideReachability({ own: own.all(), outSince, graceMs }, clock())
    if (reachability !== help.state().reachability) help.happened({ type: 'reachability', reachability })
    const addresses = own.external().map(String).sort()
    const now = addresses.join(' ')
    if (now === toldAddresses) return
    toldAddresses = now
    help.happened({ type: 'addresses', hasAddress: addresses.length > 0 })
  }

  // Peers.

  const mayDial = (address: Multiaddr, source: Source): boolean => {
    if (source === 'mdns') policy.heardOnLan([address])
    return source === 'mdns' || source === 'configured' ? policy.allows(address) : policy.allowsTold(address)
  }
  const isConnected = (peer: string): boolean => node.getConnections(peerIdFromString(peer)).some(({ status }) => status === 'open')

  const heard: Discovery['heard'] = (peer, addresses, source) => {
    if (peer === self || isSession(peer) || isStopping) return
    const known = book.get(peer)
    const good = addresses.filter((address) => mayDial(address, source)).map((address) => withPeer(address, peer).toString())
    book.heard(peer, good, source)
    isDirty = true
    if (isConnected(peer) || !good.some((address) => !isCircuit(address))) return
    if (source === 'mdns' || (source === 'rendezvous' && known?.sources.includes('mdns') !== true)) dials.add(peer)
  }

  const dial = async (peer: string, signal: AbortSignal): Promise<void> => {
    const record = book.get(peer)
    if (record === undefined || isConnected(peer)) return
    const addresses = record.addresses
      .map(({ address, source }) => ({ address: multiaddr(address), source }))
      .filter(({ address, source }) => (source === 'configured' || !isCircuit(address.toString())) && mayDial(address, source))
      .map(({ address }) => address)
    if (addresses.length > 0) await node.dial(addresses, { signal })
  }
  const onFailed = (peer: string): void => {
    book.failed(peer)
    isDirty = true
  }
  const dials = createDials({ dial, onFailed })
  const kept = createKept({ peers: [...configured.keys()], dial, onFailed, random })

  // What the node tells.

  const onIdentify = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const { connection, protocols } = detail
    const peer = detail.peerId.toString()
    const known = book.get(peer)
    const [isDirect, isOurs] = [connection.limits === undefined, connection.direction === 'outbound']
    // Visitors are no discovery.
    if (isSession(peer) || (!isOurs && known === undefined)) return
    book.met(peer, protocols, isDirect && isOurs ? withPeer(connection.remoteAddr, peer).toString() : undefined)
    isDirty = true
    const isOperators = operatorsRelays.has(peer) || operatorsPoints.has(peer)
    // Anybody may come and be told of: that alone must not make them who we are reached through.
    if (!isDirect || !(isOurs || isOperators || known?.sources.includes('mdns') === true)) return
    const [isRelay, isPoint] = [protocols.includes(RELAY_PROTOCOL), protocols.includes(RENDEZVOUS_PROTOCOL)]
    if (isRelay || isPoint) help.happened({ type: 'met', peer, isRelay, isPoint, configured: isOperators })
  }
  const onOpen = ({ detail: connection }: Libp2pEvents['connection:open']): void => {
    if (connection.limits !== undefined) return
    if (connection.direction === 'outbound') outSince ??= clock()
    kept.connected(connection.remotePeer.toString())
    const others = node.getConnections(connection.remotePeer).filter(({ id, status }) => id !== connection.id && status === 'open')
    if (others.length > 0 && others.every(({ limits }) => limits !== undefined)) directUpgrades++
  }
  const onDisconnect = ({ detail: peerId }: Libp2pEvents['peer:disconnect']): void => {
    const peer = peerId.toString()
    help.happened({ type: 'left', peer })
    kept.disconnected(peer)
  }
  const onCircuits = (): void => {
    const held = new Set(circuits.relays())
    for (const [peer, { state }] of help.state().relays)
      if (state === 'accepted' && !held.has(peer)) help.happened({ type: 'reservation-lost', peer })
    lookAtOurselves()
  }
  const onOwnUpdate = (): void => lookAtOurselves()
  const tick = (): void => {
    lookAtOurselves()
    help.happened({ type: 'tick' })
  }

  const save = (): Promise<void> => {
    if (!isDirty) return saving
    isDirty = false
    saving = saving.then(() => memory.save(book.list())).catch((error: unknown) => onError('writing down what is known', error))
    return saving
  }

  const stop = async (): Promise<void> => {
    isStopping = true
    for (const each of undo.splice(0).reverse()) each()
    await Promise.all([dials.stop(), kept.stop(), help.stop()])
    await save()
  }

  return {
    book,
    heard,
    networkStatus() {
      return summarizeNetwork({
        localPeer: self,
        listenAddresses: node.getMultiaddrs().map(String),
        externalAddresses: own.external().map((address) => withPeer(address, self).toString()),
        helpers: help.state(),
        directUpgrades,
        lastTest: own.lastTest(),
        records: book.list(),
      })
    },
    async start() {
      const remembered = await memory.load()
      book.restore(remembered.filter(({ peer }) => peer !== self))
      for (const [peer, addresses] of configured) {
        book.heard(peer, addresses, 'configured')
        await node.peerStore.merge(peerIdFromString(peer), { tags: { [TAG]: { value: 1 } } })
      }
      if (isStopping) return
      listen()
      lookAtOurselves()
      kept.start()
      // The latest met first: they are the likeliest to be there.
      const others = remembered.filter(({ peer }) => peer !== self && !configured.has(peer)).slice(-MAX_START_DIALS)
      for (const { peer } of others.reverse()) dials.add(peer)
    },
    stop: () => (stopped ??= stop()),
  }

  function listen(): void {
    node.addEventListener('peer:identify', onIdentify)
    node.addEventListener('connection:open', onOpen)
    node.addEventListener('peer:disconnect', onDisconnect)
    node.addEventListener('self:peer:update', onOwnUpdate)
    const ticking = setInterval(tick, TICK_MS).unref()
    const saves = setInterval(() => void save(), MEMORY_SAVE_MS).unref()
    undo.push(
      circuits.subscribe(onCircuits),
      () => node.removeEventListener('peer:identify', onIdentify),
      () => node.removeEventListener('connection:open', onOpen),
      () => node.removeEventListener('peer:disconnect', onDisconnect),
      () => node.removeEventListener('self:peer:update', onOwnUpdate),
      () => clearInterval(ticking),
      () => clearInterval(saves),
    )
  }
}
