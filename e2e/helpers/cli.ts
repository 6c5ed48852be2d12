/**
 * The operator's commands, run as a person runs them, beside a bridge that is running.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Child, type Exit } from './child.ts'
import { FOOTBRIDGE, LOGIN_LINK, type Bridge } from './start-bridge.ts'

/** Runs `footbridge <args>` and waits for its end. */
export async function footbridge(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Exit> {
  return await new Child([...FOOTBRIDGE, ...args], env).exited
}

/** @throws unless the command succeeds. */
async function succeed(bridge: Pick<Bridge, 'dataDir'>, args: readonly string[]): Promise<string> {
  const { code, output } = await footbridge([...args, '--data-dir', bridge.dataDir])
  if (code !== 0) throw new Error(`footbridge ${args.join(' ')} ended with ${String(code)}:\n${output}`)
  return output
}

export interface NewToken {
  readonly id: string
  readonly link: string
  readonly text: string
}

/** @param limits flags such as `--devices 1`. */
export async function createToken(bridge: Pick<Bridge, 'dataDir'>, label: string, limits: readonly string[] = []): Promise<NewToken> {
  const output = await succeed(bridge, ['token', 'create', '--label', label, ...limits])
  const link = LOGIN_LINK.exec(output)?.[0]
  const id = /\bt_[A-Za-z0-9_-]{8}\b/.exec(output)?.[0]
  if (link === undefined || id === undefined) throw new Error(`no link or id in:\n${output}`)
  return { id, link, text: link.slice(link.indexOf('fb1_')) }
}

export async function revokeToken(bridge: Bridge, id: string): Promise<void> {
  await succeed(bridge, ['token', 'revoke', id])
}

export async function tokenCommand(bridge: Bridge, ...args: readonly string[]): Promise<string> {
  return await succeed(bridge, ['token', ...args])
}

export interface PeerRow {
  readonly peer: string
  readonly name: string
  readonly state: string
  readonly tokenId: string
}

/** What `footbridge peers --json` prints: who is reachable now. */
export async function listPeers(bridge: Bridge): Promise<PeerRow[]> {
  const output = await succeed(bridge, ['peers', '--json'])
  return JSON.parse(output) as PeerRow[]
}

/** Moves a token's end into the past, in the store itself: no journey waits for a day to go by. */
export function expireToken(bridge: Bridge, id: string): void {
  const database = new DatabaseSync(join(bridge.dataDir, 'footbridge.db'))
  const { changes } = database.prepare('UPDATE tokens SET expires_at = ? WHERE id = ?').run(Date.now() - 1000, id)
  database.close()
  if (changes !== 1) throw new Error(`no token ${id}`)
}
