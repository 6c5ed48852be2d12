import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { FootbridgeError } from '@footbridge/shared/errors'
import { multiaddr } from '@multiformats/multiaddr'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytesField, concat } from '../uc-wire/fields.ts'
import { decodePeerRecord, encodePeerRecord, MAX_PEER_RECORD_BYTES } from './peer-record.ts'

const INPUTS = Math.min(100_000, Number(process.env['FUZZ_INPUTS'] ?? 1_000))
const key = await generateKeyPair('Ed25519')
const addresses = ['/ip4/203.0.113.5/udp/9095/quic-v1/webtransport', '/dns4/peer.example/tcp/443/tls/ws'].map((text) => multiaddr(text))

test('a record gives back the peer of its key, and its addresses', () => {
  const found = decodePeerRecord(encodePeerRecord(key.publicKey, addresses))
  expect(found.peer.toString()).toBe(peerIdFromPrivateKey(key).toString())
  expect(found.addresses.map(String)).toEqual(addresses.map(String))
})

test('the key stands in field 1 as libp2p writes it, addresses in field 2', () => {
  const wire = encodePeerRecord(key.publicKey, addresses.slice(0, 1))
  const own = publicKeyToProtobuf(key.publicKey)
  const address = addresses[0]?.bytes ?? new Uint8Array()
  expect([...wire]).toEqual([0x0a, own.length, ...own, 0x12, address.length, ...address])
})

test('addresses that cannot be read are left out, and so are those beyond the limit', () => {
  const record = concat([
    encodePeerRecord(key.publicKey, []),
    bytesField(2, Uint8Array.of(0xff, 0xff, 0xff)),
    ...Array.from({ length: 100 }, () => bytesField(2, addresses[0]?.bytes ?? new Uint8Array())),
  ])
  expect(decodePeerRecord(record).addresses).toHaveLength(32)
})

test.each([
  ['no key', encodePeerRecord(key.publicKey, addresses).subarray(publicKeyToProtobuf(key.publicKey).length + 2)],
  ['a key that is none', bytesField(1, Uint8Array.of(8, 1, 18, 2, 1, 2))],
  ['more bytes than a record has', new Uint8Array(MAX_PEER_RECORD_BYTES + 1)],
])('a record with %s is refused', (_what, bytes) => {
  expect(() => decodePeerRecord(bytes)).toThrow(expect.objectContaining({ code: 'protocol_violation' }))
})

test('bad bytes throw nothing untyped', () => {
  const valid = encodePeerRecord(key.publicKey, addresses)
  const broken = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.tuple(fc.nat({ max: valid.length - 1 }), fc.nat({ max: 255 })).map(([at, byte]) => valid.with(at, byte)),
    fc.nat({ max: valid.length }).map((length) => valid.subarray(0, length)),
  )
  fc.assert(
    fc.property(broken, (bytes) => {
      try {
        decodePeerRecord(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(FootbridgeError)
        expect((error as FootbridgeError).code).toBe('protocol_violation')
      }
    }),
    { numRuns: INPUTS },
  )
}, 1_800_000)
