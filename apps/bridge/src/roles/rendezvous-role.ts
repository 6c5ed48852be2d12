/**
 * `footbridge rendezvous`: a libp2p rendezvous point alone. Whoever connects may register itself and ask who is there; what is registered is in memory until it ends.
 * Not here: the protocol and its caps (@footbridge/protocols/rendezvous), and the settings (role-config.ts).
 */
import { createRendezvousServer } from '@footbridge/protocols/rendezvous/rendezvous-server'
import { MAX_REGISTRATIONS_PER_NETWORK } from '../limits.ts'
import { networkOf } from '../relay/scopes.ts'
import { readableForm, type IdentifyingNode } from '../rendezvous/readable-form.ts'
import { rendezvousMetrics } from '../telemetry/rendezvous-metrics.ts'
import { createRole, type Role, type RoleParts } from './role.ts'
import type { RoleConfig } from './role-config.ts'

export function createRendezvousRole(config: RoleConfig, parts: RoleParts): Role<Record<never, never>> {
  let serving: IdentifyingNode | undefined
  const server = createRendezvousServer({
    policy: {
      scopesOf(_peer, remoteAddr) {
        const network = networkOf({ remoteAddr })
        return network === undefined ? [] : [{ name: `network ${network}`, maxRegistrations: MAX_REGISTRATIONS_PER_NETWORK }]
      },
      formOf: (peer, registeredIn) => (serving === undefined ? registeredIn : readableForm(serving, peer, registeredIn)),
    },
    clock: parts.clock,
    randomBytes: parts.randomBytes,
  })
  return createRole<Record<never, never>>(
    config,
    {
      name: 'rendezvous',
      services: () => ({}),
      families: () => rendezvousMetrics(server),
      async start(node) {
        serving = node
        await server.start(node)
      },
      stop: (node) => server.stop(node),
    },
    parts,
  )
}
