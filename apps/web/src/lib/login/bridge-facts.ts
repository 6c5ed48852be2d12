/** What a page may ask its bridge before a login: `GET /api/v1/bridge`. */
import { bridgeAnswerSchema, type BridgeAnswer } from '@footbridge/shared/login'
import * as v from 'valibot'

const TIMEOUT_MS = 8000

/** The bridge's facts, or undefined when there is no answer to read: the page then simply offers less. */
export async function fetchBridgeFacts(fetch: typeof globalThis.fetch): Promise<BridgeAnswer | undefined> {
  try {
    const response = await fetch('/api/v1/bridge', { signal: AbortSignal.timeout(TIMEOUT_MS) })
    const result = v.safeParse(bridgeAnswerSchema, await response.json())
    return result.success ? result.output : undefined
  } catch {
    return undefined
  }
}
