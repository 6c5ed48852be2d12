/**
 * `footbridge relay`: our circuit-relay-v2 service alone, for anybody with the small limits that open relays have, or for the peers that the operator lists with
 * what they need. No tokens and no sessions.
 * Not here: the relay itself (../relay/), and the settings (role-config.ts).
 */
import { createMemoryStorage } from '@footbridge/storage/memory/memory-storage'
import type { Startable } from '@libp2p/interface'
import { createBudgets } from '../auth/budgets.ts'
import { circuitRelay } from '../relay/hop.ts'
import { DEFAULT_BRIDGE_LIMITS, RELAY_LIMITS } from '../relay/limits.ts'
import type { BridgeLimits, Relay, RelayPolicy } from '../relay/relay.ts'
import { limitTally, relayMetrics } from '../telemetry/relay-metrics.ts'
import { createRole, type Role, type RoleParts } from './role.ts'
import type { RelayConfig } from './role-config.ts'

export type RelayServices = { readonly relay: Relay & Startable }

/** Of one peer and one address (IPv4 /24, IPv6 /48) at a relay that is open to anybody: what relays of other makers give. */
const OPEN_PEER = { reservations: 1, circuits: 16, circuitsPerMinute: 60, bytesPerSecond: null, bytesPerDay: null } as const
const OPEN_ADDRESS = { reservations: 8, circuits: 64, circuitsPerMinute: 240, bytesPerSecond: null, bytesPerDay: null } as const

export function createRelayRole(config: RelayConfig, parts: RoleParts): Role<RelayServices> {
  const limitsMet = limitTally()
  return createRole<RelayServices>(
    config,
    {
      name: 'relay',
      services: (addresses) => ({
        relay: circuitRelay({
          policy: createPolicy(config, parts.clock),
          events: {
            reserved: (peer) => parts.log.debug({ peer: peer.toString() }, 'reserved'),
            unreserved: (peer) => parts.log.debug({ peer: peer.toString() }, 'a reservation has ended'),
            held: (_peer, { limit, scope }) => limitsMet.count(limit, scope),
            // There is no session to tell it over: the circuit's end says it.
            ending: () => {},
          },
          relayAddresses: addresses,
          limits: { ...RELAY_LIMITS, circuitBytes: config.circuitBytes, circuitSeconds: config.circuitSeconds },
          now: parts.clock,
        }),
      }),
      families: (node) => [...relayMetrics(() => node.services.relay.totals()), limitsMet],
    },
    parts,
  )
}

function createPolicy(config: RelayConfig, clock: () => number): RelayPolicy {
  const { allow, reservations, circuits, bytesPerSecond, bytesPerDay } = config
  const bridge = { reservations, circuits, circuitsPerMinute: DEFAULT_BRIDGE_LIMITS.bridge.circuitsPerMinute, bytesPerSecond, bytesPerDay }
  const limits: BridgeLimits =
    allow === undefined ? { peer: OPEN_PEER, address: OPEN_ADDRESS, bridge } : { ...DEFAULT_BRIDGE_LIMITS, bridge }
  return {
    mayReserve: (peer) => allow === undefined || allow.has(peer.toString()),
    mayConnect: () => true,
    tokenOf: () => undefined,
    limits: () => limits,
    // Without tokens there is nothing to be kept over a restart.
    days: createBudgets({ storage: createMemoryStorage(), clock }),
  }
}
