/**
 * When a relayed path may be tried to be made direct: pure. Attempts cost an RTCPeerConnection, of which Chromium gives a page about 500 in its life
 * (pitfall A3.7), and failures repeat as long as the network stays the same.
 */

/** Attempts of one page: well below the browser's cap, which counts those that others start towards us too. */
export const MAX_ATTEMPTS_PER_PAGE = 200
/** Attempts at the same time: each is half a dozen UDP sockets and some seconds of CPU. */
export const MAX_CONCURRENT_ATTEMPTS = 3
/** Direct connections held at a time. */
export const MAX_DIRECT_CONNECTIONS = 30

/** Some first attempts fail for no reason that lasts. */
const FIRST_RETRY_MS = 2_000
const MAX_RETRY_MS = 60 * 60_000

export interface UpgradeFacts {
  readonly isSupported: boolean
  /** One side dials, or two connections come of it: the lower PeerId. */
  readonly isDialler: boolean
  /** The person asked: the tie-break and the memory of failures do not count. */
  readonly isForced: boolean
  readonly attempts: number
  readonly attemptsRunning: number
  readonly directConnections: number
  readonly failure: { readonly retryAt: number } | undefined
}

export type UpgradeDecision = 'try' | 'wait' | 'unsupported' | 'leave-to-other'

export function decideUpgrade(facts: UpgradeFacts, now: number): UpgradeDecision {
  if (!facts.isSupported) return 'unsupported'
  if (facts.attempts >= MAX_ATTEMPTS_PER_PAGE || facts.attemptsRunning >= MAX_CONCURRENT_ATTEMPTS) return 'wait'
  if (facts.directConnections >= MAX_DIRECT_CONNECTIONS) return 'wait'
  if (facts.isForced) return 'try'
  if (!facts.isDialler) return 'leave-to-other'
  return facts.failure !== undefined && now < facts.failure.retryAt ? 'wait' : 'try'
}

/** @param failures how many in a row, this one included. @returns milliseconds until the next try. */
export function retryDelayMs(failures: number): number {
  return Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 4 ** Math.min(failures - 1, 8))
}
