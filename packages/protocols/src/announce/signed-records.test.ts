/** Records in both envelopes: read by libp2p's own code, spoilt in every way, and forged. */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record'
import { multiaddr } from '@multiformats/multiaddr'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { openRecord, signRecords, type SignedRecords } from './signed-records.ts'

const INPUTS = Math.ceil(Number(process.env['FUZZ_INPUTS'] ?? 2_000) / 2)
const ADDRESS = multiaddr('/ip4/192.0.2.1/tcp/4001/p2p/12D3KooWGzBTkvHqLgVHWXsQzzYVrRBkbGj7WJ3xxqkfnyBVsZPD/p2p-circuit')
let alice: Ed25519PrivateKey
let bob: Ed25519PrivateKey
let signed: SignedRecords

beforeAll(async () => {
  ;[alice, bob] = [await generateKeyPair('Ed25519'), await generateKeyPair('Ed25519')]
  signed = await signRecords(alice, [ADDRESS], 7n)
})

describe('a signed record', () => {
  test('is what libp2p itself certifies', async () => {
    const envelope = await RecordEnvelope.openAndCertify(signed.envelope, PeerRecord.DOMAIN)
    const record = PeerRecord.createFromProtobuf(envelope.payload)
    expect(record.peerId.equals(peerIdFromPrivateKey(alice))).toBe(true)
    expect([record.seqNumber, record.multiaddrs.map(String)]).toEqual([7n, [ADDRESS.toString()]])
    expect([...envelope.payloadType]).toEqual([0x03, 0x01])
  })

  test('is opened in the form it has, and in no other', async () => {
    for (const [form, bytes, other] of [
      ['standard', signed.envelope, signed.legacy],
      ['legacy', signed.legacy, signed.envelope],
    ] as const) {
      const opened = await openRecord(bytes, form)
      if (typeof opened === 'string') throw new Error(opened)
      expect([opened.peer.toString(), opened.seq, opened.addresses.map(String)]).toEqual([
        peerIdFromPrivateKey(alice).toString(),
        7n,
        [ADDRESS.toString()],
      ])
      expect(await openRecord(other, form)).toBe('malformed')
    }
  })

  test('that names another than its signer is refused', async () => {
    const forged = new PeerRecord({ peerId: peerIdFromPrivateKey(alice), multiaddrs: [ADDRESS], seqNumber: 8n })
    const envelope = await RecordEnvelope.seal(forged, bob)
    expect(await openRecord(envelope.marshal(), 'standard')).toBe('peer')
  })

  test('with any bit changed is refused, and never with an exception', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(signed.envelope.length - 1), fc.integer({ min: 1, max: 255 }), async (index, flip) => {
        const spoilt = Uint8Array.from(signed.envelope, (byte, at) => (at === index ? byte ^ flip : byte))
        const opened = await openRecord(spoilt, 'standard')
        // A protobuf has a few bits that mean nothing; what is read from it is signed all the same.
        if (typeof opened !== 'string') expect([opened.peer.toString(), opened.seq]).toEqual([peerIdFromPrivateKey(alice).toString(), 7n])
      }),
      { numRuns: Math.min(INPUTS, 20_000) },
    )
  })

  test('of random bytes is refused, and never with an exception', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (bytes, isLegacy) => {
        expect(await openRecord(bytes, isLegacy ? 'legacy' : 'standard')).toBeTypeOf('string')
      }),
      { numRuns: INPUTS },
    )
  })
})
