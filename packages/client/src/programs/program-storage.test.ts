import 'fake-indexeddb/auto'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { expect, test } from 'vitest'
import type { SessionAnswer } from '@footbridge/shared/login'
import { peerOf } from '../identity.ts'
import { indexedStorage } from './indexed-storage.ts'
import { createProgramSelf } from './program-self.ts'
import { memoryStorage, type ProgramStorage } from './storage.ts'

const bridgeUrl = 'https://bridge.example'
const bridge = { peer: 'bridge', name: 'Lighthouse', version: '1' }
let databases = 0

/** One holder at a time, as the browser's. */
function fakeLocks(): Pick<LockManager, 'request'> {
  const held = new Set<string>()
  const request = async (name: string, _options: unknown, callback: (lock: object | null) => unknown): Promise<unknown> => {
    if (held.has(name)) return callback(null)
    held.add(name)
    try {
      return await callback({ name })
    } finally {
      held.delete(name)
    }
  }
  return { request: request as unknown as LockManager['request'] }
}

function sessionOf(peer: string): SessionAnswer {
  const limits = { expiresAt: null, devices: 2, bytesPerDay: null, bytesPerSecond: null }
  return {
    peer,
    bridge,
    accessToken: 'a.b.c',
    expiresAt: 2,
    serverTime: 1,
    firstHops: [],
    relayAddresses: [],
    iceServers: [],
    token: { id: 't_1', label: 'alice', guest: false, limits },
  }
}

const kinds: readonly [string, () => Promise<ProgramStorage>][] = [
  ['memory', async () => memoryStorage()],
  ['IndexedDB', () => indexedStorage(`program ${databases++}`, { locks: fakeLocks() })],
]

test.each(kinds)('%s gives back what was set last, and bytes that nobody else can change', async (_name, open) => {
  const storage = await open()
  expect(await storage.get('identity')).toBeUndefined()
  const value = new Uint8Array([1, 2, 3])
  await storage.set('identity', new Uint8Array([9]))
  await storage.set('identity', value)
  value.fill(0)
  expect(await storage.get('identity')).toEqual(new Uint8Array([1, 2, 3]))
  await storage.close?.()
})

test('a second page with the same IndexedDB is told so, until the first has closed', async () => {
  const parts = { locks: fakeLocks() }
  const name = `program ${databases++}`
  const first = await indexedStorage(name, parts)
  await first.set('identity', new Uint8Array([7]))
  await expect(indexedStorage(name, parts)).rejects.toMatchObject({ code: 'other_tab' })
  await first.close?.()
  await expect.poll(() => indexedStorage(name, parts).then((second) => second.get('identity'))).toEqual(new Uint8Array([7]))
})

test('an enrolment is there again for the key that it was made with, and for no other', async () => {
  const storage = memoryStorage()
  const key = await generateKeyPair('Ed25519')
  const peer = peerOf(key)
  const self = createProgramSelf(storage, undefined, () => 1)
  await self.setIdentity({ peer, privateKey: privateKeyToProtobuf(key), createdAt: 1 })
  const enrolment = { bridgeUrl, bridge, peer, loggedOut: false, session: sessionOf(peer) }
  await self.setEnrolment(enrolment)
  expect(await createProgramSelf(storage, undefined, () => 2).enrolment(bridgeUrl)).toEqual(enrolment)
  expect(await self.enrolment('https://other.example')).toBeUndefined()
  const brought = createProgramSelf(storage, privateKeyToProtobuf(await generateKeyPair('Ed25519')), () => 1)
  expect(await brought.enrolment(bridgeUrl)).toBeUndefined()
})

test('a key that the program brought is not written down, and a damaged enrolment counts as none', async () => {
  const storage = memoryStorage()
  const key = await generateKeyPair('Ed25519')
  const self = createProgramSelf(storage, privateKeyToProtobuf(key), () => 1)
  expect(await self.identity()).toMatchObject({ peer: peerOf(key) })
  expect(await storage.get('identity')).toBeUndefined()
  await storage.set(`enrolment ${bridgeUrl}`, new Uint8Array([123, 255]))
  expect(await self.enrolment(bridgeUrl)).toBeUndefined()
})
