/**
 * Asks the bridge how it stands in the network itself. Once: whoever shows it asks again. Needs the session of the tab that leads, which every tab is shown.
 */
import { bridgeNetworkSchema, type BridgeNetwork } from '@footbridge/shared/bridge-network'
import { FootbridgeError } from '@footbridge/shared/errors'
import * as v from 'valibot'
import type { ConnectionState } from './api.ts'

const TIMEOUT_MS = 10_000

export interface BridgeNetworkParts {
  readonly connection: () => ConnectionState
  readonly bridgeUrl: () => string
  readonly fetch: typeof fetch
}

/** @throws FootbridgeError `unreachable` without a session or an answer, `not_found` for a bridge that does not tell */
export async function askBridgeNetwork({ connection, bridgeUrl, fetch }: BridgeNetworkParts): Promise<BridgeNetwork> {
  const state = connection()
  if (state.state !== 'online') throw new FootbridgeError('unreachable', 'the bridge is away')
  const answer = await fetch(`${bridgeUrl()}/api/v1/network`, {
    headers: { authorization: `Bearer ${state.session.accessToken}` },
    credentials: 'omit',
    cache: 'no-store',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((cause: unknown) => {
    throw new FootbridgeError('unreachable', 'nobody answered at the bridge', { cause })
  })
  if (answer.status === 404) throw new FootbridgeError('not_found', 'this bridge does not tell how it stands')
  const told = v.safeParse(bridgeNetworkSchema, answer.ok ? await answer.json().catch(() => undefined) : undefined)
  if (!told.success) throw new FootbridgeError('unreachable', 'the bridge has not told how it stands')
  return told.output
}
