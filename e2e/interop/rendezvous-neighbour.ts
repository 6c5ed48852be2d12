/**
 * Somebody else who is registered at the bridge's rendezvous point, in the newer form of record alone, as everybody but Rust does: rust-libp2p gives up a whole answer
 * for one record that it cannot read, so that a point which returned this one to it would show it nobody. It calls itself as our nodes do, who read both forms.
 */
import { generateKeyPair } from '@libp2p/crypto/keys'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { identify } from '@footbridge/protocols/identify/identify'
import { createRendezvousClient } from '@footbridge/protocols/rendezvous/rendezvous-client'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { HERE, RENDEZVOUS_NAMESPACE } from './scene.ts'

export interface Neighbour extends AsyncDisposable {
  /** Whom it finds. */
  sees(): Promise<string[]>
}

/** @param point with its peer */
export async function registerNeighbour(point: string): Promise<Neighbour> {
  const privateKey = await generateKeyPair('Ed25519')
  const node = await createLibp2p({
    privateKey,
    addresses: { listen: [`/ip4/${HERE}/tcp/0`] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    nodeInfo: { userAgent: 'footbridge/0.0.0' },
    services: { identify: identify() },
    connectionGater: { denyDialMultiaddr: () => false },
  })
  const client = createRendezvousClient({ node, privateKey, addresses: () => node.getMultiaddrs() })
  const at = multiaddr(point)
  await client.register(at, RENDEZVOUS_NAMESPACE)
  return {
    sees: async () => (await client.discover(at, { namespace: RENDEZVOUS_NAMESPACE })).found.map(({ peer }) => peer.toString()),
    async [Symbol.asyncDispose]() {
      await client.unregister(at, RENDEZVOUS_NAMESPACE)
      await node.stop()
    },
  }
}
