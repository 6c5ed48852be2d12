/** The picture of a moment that `networkStatus` gives, from facts that others hold: pure. */
import type { ConnectionState, Findable, Path } from '../api.ts'
import type { SessionAnswer } from '@footbridge/shared/login'
import type { NetworkStatus, RelayStatus } from './api.ts'

export interface StatusFacts {
  readonly peer: string
  readonly connection: ConnectionState
  /** The last session, live or not. */
  readonly session: SessionAnswer | undefined
  /** Addresses that the node listens on, with or without the peer at their end; circuits among them are left out. */
  readonly listening: readonly string[]
  readonly findable: Pick<Findable, 'places'>
  readonly paths: ReadonlyMap<string, Path>
  /** When it was online last, milliseconds since the epoch. */
  readonly onlineAt: number | undefined
}

export function statusOf(facts: StatusFacts): NetworkStatus {
  const { peer, session, connection } = facts
  const isOnline = connection.state === 'online'
  const addresses = isOnline && session !== undefined ? circuitAddresses(session) : []
  const place = facts.findable.places.find(({ place: name }) => name === 'rendezvous')
  return {
    peer,
    listenAddresses: facts.listening.filter((address) => !address.includes('/p2p-circuit')).map((address) => withPeer(address, peer)),
    externalAddresses: addresses,
    relays: session === undefined ? [] : [{ peer: session.bridge.peer, state: relayState(connection), addresses }],
    rendezvous: session === undefined || place === undefined ? [] : [{ peer: session.bridge.peer, state: place.state }],
    directUpgrades: [...facts.paths].flatMap(([id, path]) => {
      if (path.kind === 'none') return []
      return [{ peer: id, state: path.kind === 'direct' ? ('direct' as const) : path.upgrade.state }]
    }),
    autonat: { reachability: isOnline ? 'reachable' : 'unknown', lastTestAt: facts.onlineAt },
  }
}

/** Where others reach this program through its bridge. */
export function circuitAddresses(session: SessionAnswer): readonly string[] {
  return session.relayAddresses.map((address) => `${address}/p2p-circuit/p2p/${session.peer}`)
}

export function withPeer(address: string, peer: string): string {
  return address.endsWith(`/p2p/${peer}`) ? address : `${address}/p2p/${peer}`
}

function relayState({ state }: ConnectionState): RelayStatus['state'] {
  if (state === 'online') return 'accepted'
  return state === 'out' ? 'expired' : 'requested'
}
