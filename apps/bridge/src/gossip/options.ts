/**
 * How the bridge's gossipsub is set, for node/create-node.ts. Signed messages, the default message id (sender and sequence number), never over circuits
 * (pitfall A4.2): a virtual peer's mesh peer is the bridge itself, over the first hop.
 */
import type { GossipsubOpts } from '@libp2p/gossipsub'
import { MAX_GOSSIP_BYTES, MAX_GOSSIP_FRAME_BYTES, MAX_TOPIC_BYTES, MAX_TOPICS_PER_SESSION } from './limits.ts'

/** Topics that gossipsub remembers of one peer, a kilobyte of head each. Above what the bridge carries for a session: a native peer has its own. */
const MAX_TOPIC_MEMORY_BYTES = 4 * MAX_TOPICS_PER_SESSION * (MAX_TOPIC_BYTES + 1024)
/** Streams of one connection: one each way, and a second while one is being left. */
const MAX_STREAMS = 4
/** What a slow reader may owe before its stream is reset. */
const MAX_OWED_BYTES = 4 * MAX_GOSSIP_BYTES

export const GOSSIP_OPTIONS: Partial<GossipsubOpts> = {
  globalSignaturePolicy: 'StrictSign',
  runOnLimitedConnection: false,
  emitSelf: false,
  allowPublishToZeroTopicPeers: true,
  fallbackToFloodsub: false,
  doPX: false,
  maxInboundDataLength: MAX_GOSSIP_FRAME_BYTES,
  maxOutboundBufferSize: MAX_OWED_BYTES,
  maxInboundStreams: MAX_STREAMS,
  maxOutboundStreams: MAX_STREAMS,
  maxTopicBytesPerPeer: MAX_TOPIC_MEMORY_BYTES,
  // A class behind one NAT, or everybody behind one proxy, has one address.
  scoreParams: { IPColocationFactorWeight: 0 },
}
