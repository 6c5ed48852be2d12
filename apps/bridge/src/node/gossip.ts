/**
 * The bridge's gossipsub: signed messages on the meshsub protocols, as every other implementation speaks it. Never over a circuit: a mesh on a path that ends goes deaf, and would use up
 * what people have to talk with (pitfalls A4.2). A browser is a mesh peer of the bridge over its first hop, and the bridge one of the network's.
 * Not here: which topics (gossip/).
 */
import { StrictSign, gossipsub, type GossipSub, type GossipSubComponents } from '@libp2p/gossipsub'

/** Of one message and what is around it; universal-connectivity and Calimero send up to 1 MiB. */
const MAX_MESSAGE_BYTES = 1024 * 1024 + 64 * 1024
/** What waits for one peer that does not read. */
const MAX_OUTBOUND_BYTES = 4 * 1024 * 1024
/** What one peer's topics may take here, at about 1 KB each: 256 rooms. */
const MAX_TOPIC_BYTES_PER_PEER = 256 * 1024

/**
 * What gossipsub takes somebody for who may not have more: below what gets messages and word of them (-50), above what is not heard at all (-80), so that their topics stay known.
 * Standing is asked for every second, and good again as soon as they may.
 */
const STANDING_OF_HELD_UP = -60

/** For libp2p's `services`. @param mayHave whether this peer may be given more. */
export function gossip(mayHave: (peer: string) => boolean): (components: GossipSubComponents) => GossipSub {
  return gossipsub({
    globalSignaturePolicy: StrictSign,
    runOnLimitedConnection: false,
    // People in a room by themselves still write; it is kept for them elsewhere.
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    // Addresses of others are for discovery to find, which checks them.
    doPX: false,
    // A class behind one NAT, or everybody behind one proxy, has one address: the eleventh would be shunned.
    scoreParams: {
      IPColocationFactorWeight: 0,
      appSpecificWeight: 1,
      appSpecificScore: (peer) => (mayHave(peer) ? 0 : STANDING_OF_HELD_UP),
    },
    maxInboundDataLength: MAX_MESSAGE_BYTES,
    maxOutboundBufferSize: MAX_OUTBOUND_BYTES,
    maxTopicBytesPerPeer: MAX_TOPIC_BYTES_PER_PEER,
    decodeRpcLimits: {
      maxSubscriptions: 512,
      maxMessages: 1_000,
      maxIhaveMessageIDs: 5_000,
      maxIwantMessageIDs: 5_000,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 500,
      maxPeerInfos: 16,
    },
  }) as (components: GossipSubComponents) => GossipSub
}
