/** Files that no compression makes smaller and no two of which are alike. */
import { createHash, randomBytes } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface RandomFile {
  readonly name: string
  readonly path: string
  readonly size: number
  readonly sha256: string
  remove(): Promise<void>
}

export async function randomFile(size: number): Promise<RandomFile> {
  const name = `${randomBytes(4).toString('hex')}.bin`
  const path = join(tmpdir(), name)
  const bytes = randomBytes(size)
  await writeFile(path, bytes)
  return { name, path, size, sha256: sha256(bytes), remove: () => rm(path, { force: true }) }
}

export async function hashFile(path: string): Promise<string> {
  return sha256(await readFile(path))
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
