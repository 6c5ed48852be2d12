/**
 * A peer's record (PeerID, number, addresses), signed by the peer, in the two envelopes that libp2p's implementations read: today's, of go, JavaScript and newer Rust
 * (domain `libp2p-peer-record`, type 0x0301), and Rust's older one, which its rendezvous still uses. The payload inside is the same.
 * Not here: who may announce what (the bridge's announce feature), and where records go.
 */
import type { PeerId, PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey, peerIdFromPublicKey } from '@libp2p/peer-id'
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record'
import { utf8Encode } from '@footbridge/shared/text-codec'
import type { Multiaddr } from '@multiformats/multiaddr'

const LEGACY_DOMAIN = 'libp2p-routing-state'
const LEGACY_TYPE = utf8Encode('/libp2p/routing-state-record')

export interface SignedRecords {
  readonly envelope: Uint8Array
  readonly legacy: Uint8Array
}

export interface OpenedRecord {
  /** Whose record it is: the key that signed it is this peer's. */
  readonly peer: PeerId
  readonly seq: bigint
  readonly addresses: readonly Multiaddr[]
}

/** @param addresses without the peer's own `/p2p/` at their end. */
export async function signRecords(key: PrivateKey, addresses: readonly Multiaddr[], seq: bigint): Promise<SignedRecords> {
  const init = { peerId: peerIdFromPrivateKey(key), multiaddrs: [...addresses], seqNumber: seq }
  const envelope = await RecordEnvelope.seal(new PeerRecord(init), key)
  const legacy = await RecordEnvelope.seal(Object.assign(new PeerRecord(init), { domain: LEGACY_DOMAIN, codec: LEGACY_TYPE }), key)
  return { envelope: envelope.marshal(), legacy: legacy.marshal() }
}

/** @returns the record, or which check failed first. Never throws, whatever the bytes. */
export async function openRecord(
  bytes: Uint8Array,
  form: 'standard' | 'legacy',
): Promise<OpenedRecord | 'malformed' | 'signature' | 'peer'> {
  try {
    const envelope = RecordEnvelope.createFromProtobuf(bytes)
    const [domain, type] = form === 'standard' ? [PeerRecord.DOMAIN, PeerRecord.CODEC] : [LEGACY_DOMAIN, LEGACY_TYPE]
    if (!isSame(envelope.payloadType, type)) return 'malformed'
    const { peerId: peer, seqNumber: seq, multiaddrs: addresses } = PeerRecord.createFromProtobuf(envelope.payload)
    // libp2p throws for a signature of another length; it is just wrong.
    if (!(await Promise.resolve(envelope.validate(domain)).catch(() => false))) return 'signature'
    return peer.equals(peerIdFromPublicKey(envelope.publicKey)) ? { peer, seq, addresses } : 'peer'
  } catch {
    return 'malformed'
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
