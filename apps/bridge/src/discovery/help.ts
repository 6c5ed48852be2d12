/**
 * Does what helpers.ts asks for: reserves on relays, registers at rendezvous points and asks them who is there, and tells the state what became of it. One event after the other;
 * effects beside.
 * Not here: who is asked and when (helpers.ts), and what the node tells (discovery.ts).
 */
import type { Libp2p } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Multiaddr } from '@multiformats/multiaddr'
import { next, NO_HELPERS, type HelperEffect, type HelperEvent, type Helpers } from './helpers.ts'
import { FAREWELL_MS, TAG_LIFE_MS } from './limits.ts'
import { withPeer } from './peer-addresses.ts'
import type { Points } from './points.ts'

export interface Help {
  happened(event: HelperEvent): void
  state(): Helpers
  /** Idempotent; takes the bridge out of the rendezvous points, and calls off what is under way. */
  stop(): Promise<void>
}

export interface HelpDependencies {
  readonly node: Pick<Libp2p, 'getConnections'> & { readonly peerStore: Pick<Libp2p['peerStore'], 'merge'> }
  readonly points: Points
  /** At a relay that is connected, with its /p2p/. @throws when it refuses. */
  readonly reserve: (relay: Multiaddr) => Promise<void>
  readonly onReserved: () => void
  /** A rendezvous point told of a peer. */
  readonly onFound: (peer: string, addresses: readonly Multiaddr[]) => void
  readonly onError: (what: string, error: unknown) => void
  readonly clock: () => number
}

/** In libp2p's peer store: somebody's business, who stays. */
export const TAG = 'footbridge-discovery'

export function createHelp({ node, points, reserve, onReserved, onFound, onError, clock }: HelpDependencies): Help {
  const stopping = new AbortController()
  const working = new Set<Promise<void>>()
  let state: Helpers = NO_HELPERS
  let stopped: Promise<void> | undefined

  const happened = (event: HelperEvent): void => {
    if (stopping.signal.aborted) return
    const step = next(state, event, clock())
    for (const peer of state.points.keys()) if (!step.state.points.has(peer)) points.forget(peer)
    state = step.state
    for (const effect of step.effects) {
      const done = perform(effect).finally(() => working.delete(done))
      working.add(done)
    }
  }

  const perform = async ({ type, peer }: HelperEffect): Promise<void> => {
    try {
      await PERFORM[type](peer)
    } catch (error) {
      if (stopping.signal.aborted) return
      onError(`${type} at ${peer}`, error)
      if (type === 'reserve') happened({ type: 'reservation-lost', peer })
      if (type === 'register') happened({ type: 'registration-failed', peer })
    }
  }

  const PERFORM: Readonly<Record<HelperEffect['type'], (peer: string) => Promise<void>>> = {
    async reserve(peer) {
      const connection = node.getConnections(peerIdFromString(peer)).find(({ limits, status }) => limits === undefined && status === 'open')
      if (connection === undefined) throw new Error('the relay is not connected any more')
      await orStopped(reserve(withPeer(connection.remoteAddr, peer)), stopping.signal)
      await keep(peer)
      happened({ type: 'reserved', peer })
      onReserved()
    },
    async register(peer) {
      const forMs = await points.register(peer, stopping.signal)
      await keep(peer)
      happened({ type: 'registered', peer, until: clock() + forMs })
    },
    async discover(peer) {
      for (const { peer: found, addresses } of await points.discover(peer, stopping.signal)) onFound(found.toString(), addresses)
    },
    unregister: (peer) => points.unregister(peer, stopping.signal),
  }

  const keep = async (peer: string): Promise<void> => {
    await node.peerStore.merge(peerIdFromString(peer), { tags: { [TAG]: { value: 1, ttl: TAG_LIFE_MS } } })
  }

  const stop = async (): Promise<void> => {
    const registeredAt = [...state.points].filter(([, point]) => point.state === 'registered' && point.connected).map(([peer]) => peer)
    stopping.abort(new Error('discovery is stopping'))
    const farewell = AbortSignal.timeout(FAREWELL_MS)
    await Promise.all([...working, ...registeredAt.map((peer) => points.unregister(peer, farewell).catch(() => {}))])
  }

  return {
    happened,
    state: () => state,
    stop: () => (stopped ??= stop()),
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
