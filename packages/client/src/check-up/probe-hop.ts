/**
 * One first hop, dialled for itself under a deadline: how long it took, or what broke in which step, as far as a browser tells.
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import type { FirstHop } from '../api.ts'
import type { Check, HopFigures, HopReason } from './facts.ts'
import type { HopDial, HopStep } from './hop-dial.ts'

export interface HopProbeParts {
  readonly kind: FirstHop['kind']
  readonly addresses: readonly string[]
  readonly accessToken: string | undefined
  readonly dial: HopDial
  readonly steady: () => number
  /** The end of patience, or of the check-up. */
  readonly signal: AbortSignal
}

/** Addresses of one kind, one after the other: usually there is one. */
export async function probeHop(parts: HopProbeParts): Promise<Check<HopFigures, HopReason>> {
  let last: Check<HopFigures, HopReason> = { state: 'not_offered' }
  for (const address of parts.addresses) {
    last = await probeAddress(parts, address)
    if (last.state === 'works' || parts.signal.aborted) return last
  }
  return last
}

async function probeAddress(parts: HopProbeParts, address: string): Promise<Check<HopFigures, HopReason>> {
  const { kind, accessToken, dial, steady, signal } = parts
  const startedAt = steady()
  let step: HopStep = 'opening'
  const onStep = (next: HopStep): void => {
    if (!signal.aborted) step = next
  }
  try {
    const dialled = dial({ kind, address, accessToken, steady, onStep, signal })
    dialled.catch(() => undefined)
    const times = await Promise.race([dialled, aborted(signal)])
    return { state: 'works', figures: { address, ...times } }
  } catch (error) {
    const detail = error instanceof Error ? `${error.name}: ${error.message}` : undefined
    return { state: 'broken', reason: reasonOf(step, error, signal.aborted), afterMs: steady() - startedAt, ...(detail && { detail }) }
  }
}

function reasonOf(step: HopStep, error: unknown, isLate: boolean): HopReason {
  const name = error instanceof Error ? error.name : ''
  if (name === 'UnexpectedPeerError') return 'other_peer'
  if (error instanceof FootbridgeError && error.code === 'unauthorized') return 'unauthorized'
  if (error instanceof Error && /certhash/i.test(error.message)) return 'certificate'
  switch (step) {
    case 'opening':
      return isLate ? 'no_answer' : 'refused'
    case 'answering':
      return isLate ? 'silent' : 'cut'
    case 'proving':
      return isLate ? 'silent' : 'handshake'
  }
}

/** A transport that does not listen to its signal must not hold the check-up up. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
