import { expect, test } from 'vitest'
import { exportIdentity, openIdentity } from './identity-export.ts'

const identity = { peer: '12D3KooWAlice', privateKey: Uint8Array.of(8, 1, 18, 64, 1, 2, 3), createdAt: 0 }
const exported = await exportIdentity(identity, 'correct horse')

test('an identity comes back under its passphrase, however its letters were composed', async () => {
  expect(await openIdentity(exported, 'correct horse')).toEqual({ peer: identity.peer, privateKey: identity.privateKey })
  const composed = await exportIdentity(identity, 'caf\u00e9')
  expect((await openIdentity(composed, 'cafe\u0301')).peer).toBe(identity.peer)
})

test('the file holds no key in clear and is made anew each time', async () => {
  expect(JSON.parse(exported)).toMatchObject({ footbridge: 'identity', version: 1, peer: identity.peer, kdf: { iterations: 600_000 } })
  expect(JSON.parse(await exportIdentity(identity, 'correct horse')).key).not.toBe(JSON.parse(exported).key)
})

test('a wrong passphrase, a damaged file and a changed name are refused', async () => {
  await expect(openIdentity(exported, 'wrong horse')).rejects.toMatchObject({ code: 'passphrase_wrong' })
  const renamed = exported.replace(identity.peer, '12D3KooWMallory')
  await expect(openIdentity(renamed, 'correct horse')).rejects.toMatchObject({ code: 'passphrase_wrong' })
})

test.each([
  ['', 'nothing'],
  ['{}', 'another JSON'],
  ['not json', 'text'],
  [exported.replace('"version": 1', '"version": 2'), 'a later version'],
  [exported.replace('600000', '999999999999'), 'work without end'],
])('what is not such a file is a bad request (%#: %s)', async (text) => {
  await expect(openIdentity(text, 'correct horse')).rejects.toMatchObject({ code: 'bad_request' })
})
