/**
 * Discovery: performs on the libp2p node what the book and the states of helpers ask for, and tells them what happened. One place where the facts come together; what follows from
 * them is decided in helpers.ts and reachability.ts, which are pure.
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
import { next, NO_HELPERS, type HelperEffect, type HelperEvent, type Helpers } from './helpers.ts'
import { createKept } from './kept.ts'
import {
  FAREWELL_MS,
  MAX_REGISTERED_ADDRESSES,
  MAX_START_DIALS,
  MEMORY_SAVE_MS,
  REACHABILITY_GRACE_MS,
  TAG_LIFE_MS,
  TICK_MS,
} from './limits.ts'
import type { Memory } from './memory.ts'
import { summarizeNetwork, type NetworkStatus } from './network-status.ts'
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

const TAG = 'footbridge-discovery'

export function createDiscovery(dependencies: DiscoveryDependencies): Discovery {
  const { node, circuits, policy, memory, clock, random, isSession, onError, graceMs = REACHABILITY_GRACE_MS } = dependencies
  const self = node.peerId.toString()
  const book = createBook({ clock })
  const configured = addressesByPeer([...dependencies.bootstrapAddrs, ...dependencies.rendezvousAddrs, ...dependencies.relayAddrs], self)
  const operatorsRelays = new Set(addressesByPeer(dependencies.relayAddrs, self).keys())
  const operatorsPoints = new Set(addressesByPeer(dependencies.rendezvousAddrs, self).keys())
  const points = createPoints({ client: dependencies.rendezvous(() => registrable()), namespaces: dependencies.namespaces })
  const stopping = new AbortController()
  const undo: (() => void)[] = []
  const working = new Set<Promise<void>>()
  let helpers: Helpers = NO_HELPERS
  let outSince: number | undefined
  let directUpgrades = 0
  let toldAddresses = ''
  let isDirty = false
  let saving: Promise<void> = Promise.resolve()
  let stopped: Promise<void> | undefined

  // Own addresses.

  const isExternal = ({ multiaddr: address, type, verified }: NodeAddress): boolean =>
    verified && (type === 'announce' || isCircuit(address.toString()) || policy.isOfUse(address))
  const externals = (): Multiaddr[] =>
    circuits
      .ownAddresses()
      .filter(isExternal)
      .map(({ multiaddr: address }) => address)
  const registrable = (): Multiaddr[] =>
    externals()
      .map((address) => withoutPeer(address, self))
      .slice(0, MAX_REGISTERED_ADDRESSES)

  const lookAtOurselves = (): void => {
    const own = circuits.ownAddresses().map((each) => ({
      address: each.multiaddr.toString(),
      verified: each.verified,
      isOfUse: each.type === 'announce' || policy.isOfUse(each.multiaddr),
    }))
    const reachability = decideReachability({ own, outSince, graceMs }, clock())
    if (reachability !== helpers.reachability) happened({ type: 'reachability', reachability })
    const addresses = externals().map(String).sort()
    const now = addresses.join(' ')
    if (now === toldAddresses) return
    toldAddresses = now
    happened({ type: 'addresses', hasAddress: addresses.length > 0 })
  }

  // Helpers: one event after the other, effects beside.

  const happened = (event: HelperEvent): void => {
    if (stopping.signal.aborted) return
    const step = next(helpers, event, clock())
    for (const peer of helpers.points.keys()) if (!step.state.points.has(peer)) points.forget(peer)
    helpers = step.state
    for (const effect of step.effects) {
      const done = perform(effect).finally(() => working.delete(done))
      working.add(done)
    }
  }

  const perform = async ({ type, peer }: HelperEffect): Promise<void> => {
    try {
      if (type === 'reserve') await reserve(peer)
      else if (type === 'register') await register(peer)
      else if (type === 'discover') await discover(peer)
      else await points.unregister(peer, stopping.signal)
    } catch (error) {
      if (stopping.signal.aborted) return
      onError(`${type} at ${peer}`, error)
      if (type === 'reserve') happened({ type: 'reservation-lost', peer })
      if (type === 'register') happened({ type: 'registration-failed', peer })
    }
  }

  const reserve = async (peer: string): Promise<void> => {
    const connection = node.getConnections(peerIdFromString(peer)).find(({ limits, status }) => limits === undefined && status === 'open')
    if (connection === undefined) throw new Error('the relay is not connected any more')
    await orStopped(circuits.reserve(withPeer(connection.remoteAddr, peer)), stopping.signal)
    await keep(peer)
    happened({ type: 'reserved', peer })
    lookAtOurselves()
  }
  const register = async (peer: string): Promise<void> => {
    const forMs = await points.register(peer, stopping.signal)
    await keep(peer)
    happened({ type: 'registered', peer, until: clock() + forMs })
  }
  const discover = async (peer: string): Promise<void> => {
    for (const { peer: found, addresses } of await points.discover(peer, stopping.signal)) heard(found.toString(), addresses, 'rendezvous')
  }
  const keep = async (peer: string): Promise<void> => {
    await node.peerStore.merge(peerIdFromString(peer), { tags: { [TAG]: { value: 1, ttl: TAG_LIFE_MS } } })
  }

  // Peers.

  const mayDial = (address: Multiaddr, source: Source): boolean => {
    if (source === 'mdns') policy.heardOnLan([address])
    return source === 'mdns' || source === 'configured' ? policy.allows(address) : policy.allowsTold(address)
  }
  const isConnected = (peer: string): boolean => node.getConnections(peerIdFromString(peer)).some(({ status }) => status === 'open')

  const heard: Discovery['heard'] = (peer, addresses, source) => {
    if (peer === self || isSession(peer) || stopping.signal.aborted) return
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
    // A peer that came to us by itself must not become who we are reached through; and visitors are no discovery.
    if (isSession(peer) || (connection.direction !== 'outbound' && book.get(peer) === undefined)) return
    const isDirect = connection.limits === undefined
    const address = isDirect && connection.direction === 'outbound' ? withPeer(connection.remoteAddr, peer).toString() : undefined
    book.met(peer, protocols, address)
    isDirty = true
    const isRelay = isDirect && protocols.includes(RELAY_PROTOCOL)
    const isPoint = isDirect && protocols.includes(RENDEZVOUS_PROTOCOL)
    const isOperators = operatorsRelays.has(peer) || operatorsPoints.has(peer)
    if (isRelay || isPoint) happened({ type: 'met', peer, isRelay, isPoint, configured: isOperators })
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
    happened({ type: 'left', peer })
    kept.disconnected(peer)
  }
  const onCircuits = (): void => {
    const held = new Set(circuits.relays())
    for (const [peer, { state }] of helpers.relays)
      if (state === 'accepted' && !held.has(peer)) happened({ type: 'reservation-lost', peer })
    lookAtOurselves()
  }
  const onOwnUpdate = (): void => lookAtOurselves()
  const tick = (): void => {
    lookAtOurselves()
    happened({ type: 'tick' })
  }

  const save = (): Promise<void> => {
    if (!isDirty) return saving
    isDirty = false
    saving = saving.then(() => memory.save(book.list())).catch((error: unknown) => onError('writing down what is known', error))
    return saving
  }

  const stop = async (): Promise<void> => {
    const registeredAt = [...helpers.points]
      .filter(([peer, { state }]) => state === 'registered' && isConnected(peer))
      .map(([peer]) => peer)
    stopping.abort(new Error('discovery is stopping'))
    for (const each of undo.splice(0).reverse()) each()
    const farewell = AbortSignal.timeout(FAREWELL_MS)
    await Promise.all([
      dials.stop(),
      kept.stop(),
      ...working,
      ...registeredAt.map((peer) => points.unregister(peer, farewell).catch(() => {})),
    ])
    await save()
  }

  return {
    book,
    heard,
    networkStatus() {
      const tests = circuits
        .ownAddresses()
        .flatMap(({ type, lastVerified }) => (type === 'observed' && lastVerified !== undefined ? [lastVerified] : []))
      return summarizeNetwork({
        localPeer: self,
        listenAddresses: node.getMultiaddrs().map(String),
        externalAddresses: externals().map((address) => withPeer(address, self).toString()),
        helpers,
        directUpgrades,
        lastTest: tests.length === 0 ? undefined : Math.max(...tests),
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
      if (stopping.signal.aborted) return
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

/** For what takes no signal: it ends by its own deadline, and nobody waits for it. */
async function orStopped(work: Promise<void>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  let abort: () => void = () => {}
  const stopped = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
  })
  try {
    await Promise.race([work, stopped])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

function addressesByPeer(addresses: readonly string[], self: string): Map<string, string[]> {
  const peers = new Map<string, string[]>()
  for (const address of addresses) {
    const peer = multiaddr(address)
      .getComponents()
      .findLast(({ name }) => name === 'p2p')?.value
    if (peer !== undefined && peer !== self) peers.set(peer, [...(peers.get(peer) ?? []), address])
  }
  return peers
}

function withPeer(address: Multiaddr, peer: string): Multiaddr {
  const last = address.getComponents().at(-1)
  return last?.name === 'p2p' && last.value === peer ? address : address.encapsulate(`/p2p/${peer}`)
}

function withoutPeer(address: Multiaddr, peer: string): Multiaddr {
  const last = address.getComponents().at(-1)
  return last?.name === 'p2p' && last.value === peer ? address.decapsulate(`/p2p/${peer}`) : address
}
