/**
 * The bridge's rendezvous point: who may be registered here, for whom it counts, and when it ends. A session that is reachable may register itself, with addresses through this
 * bridge alone, and its token pays; when it is not reachable any more it is dropped. Anybody else may register too, within what is kept for strangers, until their time is over.
 * Not here: the protocol and what is kept (packages/protocols/src/rendezvous), and which virtual peers the bridge registers for their devices (announce/).
 */
import {
  createRendezvousServer,
  type RendezvousPolicy,
  type RendezvousServer,
  type RendezvousServerOptions,
} from '@footbridge/protocols/rendezvous/rendezvous-server'
import type { Libp2p } from '@libp2p/interface'
import {
  MAX_REGISTRATIONS,
  MAX_REGISTRATIONS_PER_NAMESPACE,
  MAX_REGISTRATIONS_PER_NETWORK,
  MAX_REGISTRATIONS_PER_TOKEN,
  MAX_STRANGERS_REGISTRATIONS,
} from '../limits.ts'
import type { Registry, SessionChange } from '../peers/registry.ts'
import { readableForm, type IdentifyingNode } from './readable-form.ts'

export interface Rendezvous extends Pick<RendezvousServer, 'register' | 'unregister' | 'totals' | 'size'> {
  start(): Promise<void>
  /** Idempotent. */
  stop(): Promise<void>
}

export interface RendezvousDependencies {
  readonly node: Pick<Libp2p, 'handle' | 'unhandle'> & IdentifyingNode
  readonly registry: Pick<Registry, 'get' | 'subscribe'>
  /** The bridge's PeerID. */
  readonly bridgePeer: string
  /** The network that a connection comes from, such as its IPv4 /24; undefined for this machine's own. */
  readonly networkOf: (from: { readonly remoteAddr: Parameters<RendezvousPolicy['scopesOf']>[1] }) => string | undefined
  readonly onRegistered: NonNullable<RendezvousServerOptions['onRegistered']>
  readonly clock: () => number
  readonly randomBytes: (length: number) => Uint8Array
}

export function createRendezvous(dependencies: RendezvousDependencies): Rendezvous {
  const { node, registry, bridgePeer, networkOf, onRegistered, clock, randomBytes } = dependencies
  const throughUs = `/p2p/${bridgePeer}/p2p-circuit`
  let unsubscribe: (() => void) | undefined

  const server = createRendezvousServer({
    policy: {
      scopesOf(peer, remoteAddr) {
        const session = registry.get(peer.toString())
        if (session === undefined) {
          const network = networkOf({ remoteAddr })
          const strangers = { name: 'strangers', maxRegistrations: MAX_STRANGERS_REGISTRATIONS }
          return network === undefined
            ? [strangers]
            : [strangers, { name: `network ${network}`, maxRegistrations: MAX_REGISTRATIONS_PER_NETWORK }]
        }
        // Without a reservation its addresses would lead nowhere.
        if (session.state !== 'reachable') return undefined
        return [{ name: `token ${session.grant.tokenId}`, maxRegistrations: MAX_REGISTRATIONS_PER_TOKEN }]
      },
      refusalOf(peer, addresses) {
        if (registry.get(peer.toString()) === undefined || addresses.every((address) => address.toString().includes(throughUs)))
          return undefined
        return 'a virtual peer is reached through this bridge: other addresses are of no use to others'
      },
      formOf: (peer, registeredIn) => readableForm(node, peer, registeredIn),
    },
    limits: { perNamespace: MAX_REGISTRATIONS_PER_NAMESPACE, total: MAX_REGISTRATIONS },
    onRegistered,
    clock,
    randomBytes,
  })

  const onChange = ({ peer, before, after }: SessionChange): void => {
    if (after.state === 'ended' || (before?.state === 'reachable' && after.state !== 'reachable')) server.drop(peer)
  }

  return {
    register: (registration) => server.register(registration),
    unregister: (peer, namespace) => server.unregister(peer, namespace),
    totals: () => server.totals(),
    size: () => server.size(),
    async start() {
      unsubscribe ??= registry.subscribe(onChange)
      await server.start(node)
    },
    async stop() {
      unsubscribe?.()
      unsubscribe = undefined
      await server.stop(node)
    },
  }
}
