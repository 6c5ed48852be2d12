/**
 * The bridge's identity: one Ed25519 key in `<data-dir>/identity.key`, libp2p's protobuf encoding, readable by its owner alone. Made at the first start.
 * Whoever has this file is this bridge: peers' addresses and access tokens hang on it.
 */
import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'

export const IDENTITY_FILE = 'identity.key'

/** The key cannot be read, written or understood: `message` is one whole line for a person. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError'
}

/** The key in `dataDir`, made when there is none. @throws IdentityError */
export async function loadIdentity(dataDir: string): Promise<Ed25519PrivateKey> {
  const path = join(dataDir, IDENTITY_FILE)
  const present = await readIfThere(path)
  if (present !== undefined) return decode(present, path)
  const key = await generateKeyPair('Ed25519')
  await create(dataDir, path, privateKeyToProtobuf(key))
  // Of two bridges starting at once on one folder the first to link wins, and both read what it wrote.
  return decode((await readIfThere(path)) ?? new Uint8Array(), path)
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw new IdentityError(`cannot read the identity key ${path} (${codeOf(error)}): give this user access to it`, { cause: error })
  }
}

/** Whole or not at all: written beside, flushed, then linked into place, which fails when somebody else was first. */
async function create(dataDir: string, path: string, bytes: Uint8Array): Promise<void> {
  const draft = `${path}.${randomUUID()}.new`
  try {
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await link(draft, path).catch(async (error: unknown) => {
      if (codeOf(error) === 'EEXIST') return
      // Some file systems have no hard links; the data folder's lock keeps a second bridge away there.
      await rename(draft, path)
    })
  } catch (error) {
    throw new IdentityError(`cannot write the identity key ${path} (${codeOf(error)}): choose another folder with --data-dir`, {
      cause: error,
    })
  } finally {
    await rm(draft, { force: true }).catch(() => {})
  }
}

function decode(bytes: Uint8Array, path: string): Ed25519PrivateKey {
  try {
    const key = privateKeyFromProtobuf(bytes)
    if (key.type === 'Ed25519') return key
  } catch {
    // Said below, the same for every way of being damaged.
  }
  throw new IdentityError(`the identity key ${path} is damaged: restore it from a copy, or remove it to start as another bridge`)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
