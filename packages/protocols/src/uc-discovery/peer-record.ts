/**
 * What a peer says of itself on the discovery topic, as universal-connectivity and js-libp2p's pubsub peer discovery write it: the whole data of a gossip
 * message is
 *
 *     Peer   1 publicKey bytes: the libp2p PublicKey protobuf   2 addrs bytes, repeated: multiaddrs, without the peer's own id at the end
 *
 * Written again every ten seconds or so. Fields that are not known are skipped. The record is not signed: that of the gossip message may be another
 * peer's who passes it on, so that an address is a hint and nothing more; who answers there has to prove the key.
 */
import { publicKeyFromProtobuf, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PeerId, PublicKey } from '@libp2p/interface'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { FootbridgeError } from '@footbridge/shared/errors'
import { bytesField, bytesOf, concat, readFields } from '../uc-wire/fields.ts'

export const UC_DISCOVERY_TOPIC = 'universal-connectivity-browser-peer-discovery'

/** How often a peer says it again. */
export const ANNOUNCE_EVERY_MS = 10_000
/** An Ed25519 key has 36 bytes, an RSA key of 4096 bits some 560. */
const MAX_KEY_BYTES = 1_024
/** Addresses that are read; those that follow are left. A peer with many interfaces has a dozen. */
const MAX_ADDRESSES = 32
const MAX_ADDRESS_BYTES = 512
/** Above a record at all its limits. */
export const MAX_PEER_RECORD_BYTES = 32 * 1024

export interface DiscoveredPeer {
  readonly peer: PeerId
  readonly addresses: readonly Multiaddr[]
}

export function encodePeerRecord(key: PublicKey, addresses: readonly Multiaddr[]): Uint8Array {
  return concat([
    bytesField(1, publicKeyToProtobuf(key)),
    ...addresses.slice(0, MAX_ADDRESSES).map((address) => bytesField(2, address.bytes)),
  ])
}

/** Addresses that cannot be read are left out. @throws FootbridgeError `protocol_violation` */
export function decodePeerRecord(bytes: Uint8Array): DiscoveredPeer {
  if (bytes.length > MAX_PEER_RECORD_BYTES) throw new FootbridgeError('protocol_violation', 'a peer record is too large')
  let key: Uint8Array | undefined
  const addresses: Multiaddr[] = []
  for (const [number, value] of readFields(bytes)) {
    if (number === 1) key = bytesOf(value)
    else if (number === 2 && addresses.length < MAX_ADDRESSES) {
      const address = parseAddress(bytesOf(value))
      if (address) addresses.push(address)
    }
  }
  if (key === undefined || key.length > MAX_KEY_BYTES) throw new FootbridgeError('protocol_violation', 'a peer record without a key')
  return { peer: peerOf(key), addresses }
}

function peerOf(key: Uint8Array): PeerId {
  try {
    return peerIdFromPublicKey(publicKeyFromProtobuf(key))
  } catch (cause) {
    throw new FootbridgeError('protocol_violation', 'a peer record with a key that is none', { cause })
  }
}

function parseAddress(bytes: Uint8Array): Multiaddr | undefined {
  if (bytes.length > MAX_ADDRESS_BYTES) return undefined
  try {
    const address = multiaddr(bytes)
    // Parses what it had put off.
    address.toString()
    return address
  } catch {
    return undefined
  }
}
