import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { IDENTITY_FILE, IdentityError, loadIdentity } from './identity.ts'

let dataDir: string
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'footbridge-identity-'))
})
afterEach(async () => {
  await chmod(dataDir, 0o700)
  await rm(dataDir, { recursive: true })
})

describe('the bridge’s identity', () => {
  it('is made once, for its owner alone, and found again', async () => {
    const first = await loadIdentity(join(dataDir, 'new'))
    const again = await loadIdentity(join(dataDir, 'new'))
    expect(again.publicKey.toString()).toBe(first.publicKey.toString())
    expect((await stat(join(dataDir, 'new', IDENTITY_FILE))).mode & 0o777).toBe(0o600)
    expect(await readdir(join(dataDir, 'new'))).toEqual([IDENTITY_FILE])
  })

  it('is one, though two bridges start at the same time', async () => {
    const keys = await Promise.all([loadIdentity(dataDir), loadIdentity(dataDir)].map(async (key) => (await key).publicKey.toString()))
    expect(keys[0]).toBe(keys[1])
  })

  it('is what libp2p’s own tools write', async () => {
    const key = await generateKeyPair('Ed25519')
    await writeFile(join(dataDir, IDENTITY_FILE), privateKeyToProtobuf(key))
    expect((await loadIdentity(dataDir)).publicKey.toString()).toBe(key.publicKey.toString())
  })

  it.each([
    ['empty', new Uint8Array()],
    ['cut', Uint8Array.of(8, 1, 18, 64, 1, 2, 3)],
  ])('is never replaced when it is %s: it says what to do', async (_, bytes) => {
    await writeFile(join(dataDir, IDENTITY_FILE), bytes)
    await expect(loadIdentity(dataDir)).rejects.toThrow(/damaged: restore it from a copy/)
    expect(await readFile(join(dataDir, IDENTITY_FILE))).toEqual(Buffer.from(bytes))
  })

  it('says in one line when it cannot be read', async () => {
    const file = join(dataDir, 'in-the-way')
    await writeFile(file, '')
    const error = await loadIdentity(file).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(IdentityError)
    expect((error as Error).message).toMatch(/^cannot read the identity key .*ENOTDIR.*$/)
  })
})
