/**
 * How the bridge stands in the network, for `footbridge network` and whoever else asks. What is said and how it is put together; not where the facts come from (discovery.ts).
 */
import type { Helpers } from './helpers.ts'
import type { Reachability } from './reachability.ts'
import { isCircuit } from './reachability.ts'
import type { PeerRecord, RelayState, RendezvousState } from './record.ts'

export interface NetworkStatus {
  readonly localPeer: string
  readonly listenAddresses: readonly string[]
  /** Those that mean something to peers elsewhere, circuits through other relays among them. */
  readonly externalAddresses: readonly string[]
  readonly relays: readonly {
    readonly peer: string
    readonly state: RelayState
    readonly configured: boolean
    readonly addresses: readonly string[]
  }[]
  readonly rendezvous: readonly {
    readonly peer: string
    readonly state: RendezvousState
    readonly configured: boolean
    /** RFC 3339; null while it is not registered there. */
    readonly registeredUntil: string | null
  }[]
  /** Relayed connections that became direct ones since the start. */
  readonly directUpgrades: number
  /** `lastTest`: RFC 3339; null when there was none. */
  readonly autonat: { readonly reachability: Reachability; readonly lastTest: string | null }
  /** Records in the discovery book, by who told of them; a peer of whom several told counts for each. */
  readonly knownPeers: { readonly total: number; readonly bySource: Readonly<Record<string, number>> }
}

export function summarizeNetwork(facts: {
  readonly localPeer: string
  readonly listenAddresses: readonly string[]
  readonly externalAddresses: readonly string[]
  readonly helpers: Helpers
  readonly directUpgrades: number
  readonly lastTest: number | undefined
  readonly records: readonly PeerRecord[]
}): NetworkStatus {
  const { localPeer, listenAddresses, externalAddresses, helpers, directUpgrades, lastTest, records } = facts
  const bySource: Record<string, number> = {}
  for (const source of records.flatMap(({ sources }) => sources)) bySource[source] = (bySource[source] ?? 0) + 1
  return {
    localPeer,
    listenAddresses,
    externalAddresses,
    relays: [...helpers.relays].map(([peer, { state, configured }]) => ({
      peer,
      state,
      configured,
      addresses: listenAddresses.filter((address) => isCircuit(address) && address.includes(`/p2p/${peer}/p2p-circuit`)),
    })),
    rendezvous: [...helpers.points].map(([peer, point]) => ({
      peer,
      state: point.state,
      configured: point.configured,
      registeredUntil: point.state === 'registered' ? new Date(point.until).toISOString() : null,
    })),
    directUpgrades,
    autonat: { reachability: helpers.reachability, lastTest: lastTest === undefined ? null : new Date(lastTest).toISOString() },
    knownPeers: { total: records.length, bySource },
  }
}
