/**
 * Plain HTTPS to the bridge, twice: how long it takes, whether it is the bridge that answers, and what time it is there. The second request goes over the
 * first one's connection, so that its round trip is one, and its answer tells the time best.
 */
import { problemSchema } from '@footbridge/shared/errors'
import { bridgeAnswerSchema, type BridgeAnswer } from '@footbridge/shared/login'
import * as v from 'valibot'
import { webSocketAddress } from '../bridge-address.ts'
import type { BridgeFigures, BridgeReason, Check, ClockFigures, ClockReason } from './facts.ts'

/** Messages carry the time of whoever wrote them, and a login may be five minutes off; half of it is worth a word. */
const MAX_SKEW_MS = 2.5 * 60_000
const HALF_HOUR_MS = 30 * 60_000
/** No time zone is further from another. */
const MAX_ZONE_MS = 26 * 60 * 60_000

export interface BridgeProbeParts {
  readonly bridgeUrl: string
  readonly fetch: typeof fetch
  /** This device's clock. */
  readonly now: () => number
  /** Milliseconds that never go back. */
  readonly steady: () => number
  readonly isOffline: () => boolean
  readonly timeZone: () => string
  readonly signal: AbortSignal
}

export interface BridgeFindings {
  readonly bridge: Check<BridgeFigures, BridgeReason>
  readonly clock: Check<ClockFigures, ClockReason>
  /** As the bridge names them; undefined while it does not answer. */
  readonly firstHops: readonly string[] | undefined
}

interface Answer extends BridgeAnswer {
  readonly ms: number
  /** The bridge's clock less ours at the middle of the round trip. */
  readonly skewMs: number
}

export async function probeBridge(parts: BridgeProbeParts): Promise<BridgeFindings> {
  const startedAt = parts.steady()
  const broken = (reason: BridgeReason, detail?: string): BridgeFindings => ({
    bridge: { state: 'broken', reason, afterMs: parts.steady() - startedAt, ...(detail !== undefined && { detail }) },
    clock: { state: 'unknown', because: 'no_bridge' },
    firstHops: undefined,
  })
  try {
    const first = await ask(parts)
    if ('reason' in first) return broken(first.reason, first.detail)
    // The first answer says enough if the second is lost.
    const second = await ask(parts).catch(() => first)
    const best = 'reason' in second || second.ms > first.ms ? first : second
    const { name, version, peer, firstHops = [webSocketAddress(parts.bridgeUrl, peer)] } = first
    return {
      bridge: { state: 'works', figures: { name, version, firstMs: first.ms, rttMs: best.ms } },
      clock: judgeClock(best, parts),
      firstHops,
    }
  } catch (error) {
    if (parts.isOffline()) return broken('offline')
    if (parts.signal.aborted) return broken('no_answer')
    return broken('unreachable', error instanceof Error ? error.message : undefined)
  }
}

async function ask({
  bridgeUrl,
  fetch,
  now,
  steady,
  signal,
}: BridgeProbeParts): Promise<Answer | { reason: BridgeReason; detail: string }> {
  const [sentAt, sentSteady] = [now(), steady()]
  // A login page of the network redirects; a bridge never does.
  const options = { credentials: 'omit', cache: 'no-store', redirect: 'manual', signal } as const
  const response = await fetch(`${bridgeUrl}/api/v1/bridge`, options)
  const ms = steady() - sentSteady
  if (response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400))
    return { reason: 'portal', detail: 'the answer leads elsewhere' }
  const text = await response.text()
  const value = parseJson(text)
  const problem = v.safeParse(problemSchema, value)
  if (problem.success) return { reason: 'trouble', detail: `HTTP ${response.status}, ${problem.output.code}` }
  if (response.status >= 500) return { reason: 'trouble', detail: `HTTP ${response.status}` }
  const answer = v.safeParse(bridgeAnswerSchema, value)
  if (!response.ok || !answer.success) return { reason: 'portal', detail: `HTTP ${response.status}, not a bridge's answer` }
  return { ...answer.output, ms, skewMs: answer.output.serverTime - (sentAt + ms / 2) }
}

function judgeClock({ skewMs, ms }: Answer, { timeZone }: BridgeProbeParts): Check<ClockFigures, ClockReason> {
  const figures = { skewMs: Math.round(skewMs), uncertaintyMs: Math.ceil(ms / 2), timeZone: timeZone() }
  if (Math.abs(skewMs) - figures.uncertaintyMs <= MAX_SKEW_MS) return { state: 'works', figures }
  return { state: 'broken', reason: isByZone(skewMs) ? 'zone' : 'wrong', figures }
}

function isByZone(skewMs: number): boolean {
  const halves = Math.round(skewMs / HALF_HOUR_MS)
  return halves !== 0 && Math.abs(skewMs) <= MAX_ZONE_MS && Math.abs(skewMs - halves * HALF_HOUR_MS) <= MAX_SKEW_MS
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
