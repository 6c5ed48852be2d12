/** What broke on one hop, and what can be read from the errors of a race. */
import { isFootbridgeError } from '@footbridge/shared/errors'
import type { HopKind } from './hop-kind.ts'

/** Why one hop of a race did not come in. */
export class HopError extends Error {
  readonly kind: HopKind
  /** Between its beginning and its end. */
  readonly ms: number
  /** It was still trying when the race was called off. */
  readonly hung: boolean

  constructor(kind: HopKind, ms: number, hung: boolean, cause: unknown) {
    super(`${kind}: ${hung ? 'no answer' : messageOf(cause)} (${Math.round(ms)} ms)`, { cause })
    this.name = 'HopError'
    this.kind = kind
    this.ms = ms
    this.hung = hung
  }
}

export function isUnauthorized(error: unknown): boolean {
  return someOf(error, (each) => isFootbridgeError(each, 'unauthorized'))
}

/** libp2p's words for Noise having met somebody else than was dialled. */
export function isOtherPeer(error: unknown): boolean {
  return someOf(error, (each) => each instanceof Error && each.name === 'UnexpectedPeerError')
}

/** Errors of a race hold those of their addresses. */
function someOf(error: unknown, test: (each: unknown) => boolean): boolean {
  if (test(error)) return true
  if (error instanceof AggregateError && error.errors.some((each) => someOf(each, test))) return true
  return error instanceof Error && error.cause !== undefined && someOf(error.cause, test)
}

/** A dial over several addresses fails with several errors. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}
