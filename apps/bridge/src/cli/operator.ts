/**
 * How a command reaches the tokens: through the running bridge when there is one, else straight from the store, holding the folder's lock meanwhile so that
 * no bridge starts in between and misses a revocation.
 * Not here: what the commands print (token-commands.ts, peers-command.ts).
 */
import { existsSync, realpathSync } from 'node:fs'
import { formatLoginLink, type BridgeToken } from '@footbridge/shared/bridge-token'
import { isFootbridgeError } from '@footbridge/shared/errors'
import type { TokenLimits } from '@footbridge/storage/ports'
import { openSqliteStorage } from '@footbridge/storage/sqlite/sqlite-storage'
import { createControlClient, type ControlClient } from '../admin/control-client.ts'
import { controlPath } from '../admin/control-path.ts'
import { lockDataDir, prepareDataDir, reasonOf, storePath } from '../admin/data-dir.ts'
import { summarizeToken, type TokenSummary } from '../admin/token-summary.ts'
import { createTokens, type TokenOptions } from '../auth/tokens.ts'
import type { Config } from '../config/config.ts'
import type { BridgeLimits } from '../relay/relay.ts'
import { createRelayLimitSettings, type LimitChanges } from '../relay-limits.ts'
import { localUrl } from './banner.ts'
import { CommandError, type Console } from './console.ts'

/** Two commands at once are not a fault: the second waits for the first. */
const LOCK_WAIT_MS = 3_000

export interface Operator {
  createToken(options: TokenOptions): Promise<{ id: string; token: string; link: string }>
  listTokens(): Promise<TokenSummary[]>
  revokeToken(id: string): Promise<void>
  limitToken(id: string, changes: Partial<TokenLimits>): Promise<TokenSummary>
  limits(): Promise<BridgeLimits>
  changeLimits(scope: keyof BridgeLimits, changes: LimitChanges): Promise<BridgeLimits>
}

/** @throws CommandError when neither the bridge nor the store can be reached. */
export async function withOperator<Result>(
  config: Config,
  console: Console,
  work: (operator: Operator) => Promise<Result>,
): Promise<Result> {
  const running = await findRunningBridge(config, console)
  if (running !== undefined) return work(throughBridge(running.client, running.url))

  const dataDir = prepareDataDir(config.dataDir)
  const lock = lockDataDir(dataDir, LOCK_WAIT_MS)
  if (lock === undefined) throw new CommandError('a bridge is starting or stopping on this data folder: try again in a few seconds')
  try {
    const storage = openStore(dataDir)
    try {
      const tokens = createTokens({ storage, clock: console.clock, randomBytes: console.randomBytes })
      const limits = createRelayLimitSettings({ storage })
      await limits.load()
      return await work({
        createToken: async (options) => {
          const { token, record } = await tokens.create(options)
          return { id: record.id, token, link: formatLoginLink(config.publicUrl ?? localUrl(config), token) }
        },
        listTokens: async () => (await tokens.list()).map(summarizeToken),
        revokeToken: async (id) => void (await tokens.revoke(id)),
        limitToken: async (id, changes) => {
          const details = (await tokens.limit(id, changes)) && (await tokens.show(id))
          if (details === undefined) throw new CommandError('there is no such token any more')
          return summarizeToken(details)
        },
        limits: async () => limits.current(),
        changeLimits: (scope, changes) => limits.change(scope, changes),
      })
    } finally {
      await storage.close()
    }
  } finally {
    lock.release()
  }
}

/** Undefined when no bridge runs on this data folder. */
export async function findRunningBridge(config: Config, console: Console): Promise<{ client: ControlClient; url: string } | undefined> {
  if (!existsSync(config.dataDir)) return undefined
  const client = createControlClient(controlPath(realpathSync(config.dataDir), console))
  try {
    return { client, url: (await client.describe()).url }
  } catch (error) {
    if (isFootbridgeError(error, 'unreachable')) return undefined
    throw error
  }
}

/** @throws CommandError in one line for a person. */
export function openStore(dataDir: string): ReturnType<typeof openSqliteStorage> {
  try {
    return openSqliteStorage(storePath(dataDir))
  } catch (error) {
    throw new CommandError(`cannot open the store ${storePath(dataDir)} (${reasonOf(error)}): mend it, or give another --data-dir`)
  }
}

function throughBridge(client: ControlClient, url: string): Operator {
  return {
    createToken: async (options) => {
      const { id, token } = await client.createToken(options)
      return { id, token, link: formatLoginLink(url, token as BridgeToken) }
    },
    listTokens: () => client.listTokens(),
    revokeToken: (id) => client.revokeToken(id),
    limitToken: (id, changes) => client.limitToken(id, changes),
    limits: () => client.limits(),
    changeLimits: (scope, changes) => client.changeLimits(scope, changes),
  }
}
