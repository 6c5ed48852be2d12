/** What this implementation writes and reads is what vectors.json publishes. go-libp2p 0.51 opens the standard record as what it says. */
import { readFileSync } from 'node:fs'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { signRecords } from '../announce/signed-records.ts'
import { createCookies } from './cookies.ts'
import { openEitherRecord, signLegacyRecord } from './records.ts'
import { decodeMessage, encodeMessage, type RendezvousMessage } from './wire.ts'

interface Vectors {
  readonly key: { readonly ed25519Seed: string; readonly peer: string }
  readonly record: { readonly addresses: readonly string[]; readonly seq: string; readonly standard: string; readonly legacy: string }
  readonly messages: readonly { readonly name: string; readonly hex: string; readonly message: RendezvousMessage }[]
  readonly cookies: readonly { readonly secret: string; readonly namespace: string; readonly position: number; readonly hex: string }[]
}

const vectors = JSON.parse(readFileSync(new URL('vectors.json', import.meta.url), 'utf8'), (_key, value: unknown) =>
  typeof value === 'object' && value !== null && Object.keys(value).join() === 'hex' && 'hex' in value ? bytesOf(String(value.hex)) : value,
) as Vectors

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

test.each(vectors.messages.map((vector) => [vector.name, vector] as const))(
  'W3: %s is written and read as published',
  (_name, { hex, message }) => {
    const written = encodeMessage(message)
    const head = written.length < 128 ? [written.length] : [(written.length & 127) | 128, written.length >> 7]
    expect(hexOf(Uint8Array.from([...head, ...written]))).toBe(hex)
    expect(decodeMessage(written)).toEqual(message)
  },
)

test('R2: the records are signed and opened as published', async () => {
  const { addresses, seq, standard, legacy } = vectors.record
  const key = await generateKeyPairFromSeed('Ed25519', bytesOf(vectors.key.ed25519Seed))
  expect(peerIdFromPrivateKey(key).toString()).toBe(vectors.key.peer)
  const parsed = addresses.map((address) => multiaddr(address))
  expect(hexOf((await signRecords(key, parsed, BigInt(seq))).envelope)).toBe(standard)
  expect(hexOf(await signLegacyRecord(key, parsed, BigInt(seq)))).toBe(legacy)
  for (const [form, hex] of [
    ['standard', standard],
    ['legacy', legacy],
  ] as const)
    expect(await openEitherRecord(bytesOf(hex))).toMatchObject({ form, seq: BigInt(seq) })
})

test.each(vectors.cookies)(
  'K2: the cookie of "$namespace" at $position is made and read as published',
  async ({ secret, namespace, position, hex }) => {
    const cookies = createCookies(bytesOf(secret))
    expect(hexOf(await cookies.make(namespace, position))).toBe(hex)
    expect(await cookies.read(namespace, bytesOf(hex))).toBe(position)
  },
)

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, 'hex'))
}
