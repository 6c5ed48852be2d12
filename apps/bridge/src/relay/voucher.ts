/**
 * The reservation voucher: the relay's signature that a peer may be reached through it until a time. Spec: relay/circuit-v2.md, "Reservation Vouchers",
 * inside a signed envelope (RFC 0002). The same bytes as @libp2p/circuit-relay-v2 makes.
 */
import { publicKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PeerId, PrivateKey } from '@libp2p/interface'
import { ProtoWriter } from './proto.ts'

const DOMAIN = new TextEncoder().encode('libp2p-relay-rsvp')
/** The multicodec of a relay voucher, as a varint. */
const PAYLOAD_TYPE = Uint8Array.of(0x03, 0x02)

export interface Voucher {
  readonly relay: PeerId
  readonly peer: PeerId
  /** Unix time in seconds. */
  readonly expire: bigint
}

/** @returns the envelope's bytes. */
export async function sealVoucher({ relay, peer, expire }: Voucher, key: PrivateKey): Promise<Uint8Array> {
  const payload = new ProtoWriter().bytes(1, relay.toMultihash().bytes).bytes(2, peer.toMultihash().bytes).varint(3, expire).finish()
  const signed = Buffer.concat([DOMAIN, PAYLOAD_TYPE, payload].flatMap((part) => [lengthPrefix(part.length), part]))
  return new ProtoWriter()
    .bytes(1, publicKeyToProtobuf(key.publicKey))
    .bytes(2, PAYLOAD_TYPE)
    .bytes(3, payload)
    .bytes(5, await key.sign(signed))
    .finish()
}

/** Every part is shorter than 16 KiB: two bytes of varint are enough. */
function lengthPrefix(length: number): Uint8Array {
  return length < 0x80 ? Uint8Array.of(length) : Uint8Array.of((length & 0x7f) | 0x80, length >> 7)
}
