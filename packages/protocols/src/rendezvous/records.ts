/**
 * The records of a rendezvous: libp2p's signed peer record, in either of the two envelopes that are in use. Rust's rendezvous signs and reads the legacy one alone,
 * everybody else the standard one; a point keeps what it got, byte for byte, because only the peer itself could sign another.
 * Not here: how an envelope is signed and checked (../announce/signed-records.ts).
 */
import type { PrivateKey } from '@libp2p/interface'
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record'
import type { Multiaddr } from '@multiformats/multiaddr'
import { openRecord, signRecords, type OpenedRecord } from '../announce/signed-records.ts'

export type RecordForm = 'standard' | 'legacy'

/** Of one envelope: sixteen addresses of 256 bytes, with key and signature, and as much again. */
export const MAX_RECORD_BYTES = 8 * 1024

export interface OpenedEitherRecord extends OpenedRecord {
  readonly form: RecordForm
}

/** Opens a record of either form. @returns which check failed first, when one did. Never throws, whatever the bytes. */
export async function openEitherRecord(bytes: Uint8Array): Promise<OpenedEitherRecord | 'malformed' | 'signature' | 'peer'> {
  if (bytes.length > MAX_RECORD_BYTES) return 'malformed'
  const standard = await openRecord(bytes, 'standard')
  if (typeof standard !== 'string') return { ...standard, form: 'standard' }
  if (standard !== 'malformed') return standard
  const legacy = await openRecord(bytes, 'legacy')
  return typeof legacy === 'string' ? legacy : { ...legacy, form: 'legacy' }
}

/** The number of a record that was checked before. @throws for bytes that are no record */
export function seqOf(bytes: Uint8Array): bigint {
  return PeerRecord.createFromProtobuf(RecordEnvelope.createFromProtobuf(bytes).payload).seqNumber
}

/** A record as Rust's rendezvous reads it: domain `libp2p-routing-state`, type `/libp2p/routing-state-record`. */
export async function signLegacyRecord(key: PrivateKey, addresses: readonly Multiaddr[], seq: bigint): Promise<Uint8Array> {
  return (await signRecords(key, addresses, seq)).legacy
}
