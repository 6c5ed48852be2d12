/**
 * What a check of `footbridge doctor` has found, for a person and as JSON. Not here: how it is laid out (../cli/doctor-command.ts).
 */
export const AREAS = ['machine', 'clock', 'certificate', 'ports', 'public', 'proxy', 'turn'] as const
export type Area = (typeof AREAS)[number]

export interface Finding {
  readonly area: Area
  /** Stable, for programs. */
  readonly id: string
  /** In one or two words. */
  readonly what: string
  /** `unknown` is what could not be checked: `found` says why. */
  readonly state: 'ok' | 'warning' | 'error' | 'unknown'
  /** One line. */
  readonly found: string
  /** One line of what to do; there is one unless all is well. */
  readonly advice?: string
}

type Check = Pick<Finding, 'area' | 'id' | 'what'>

export const ok = (check: Check, found: string): Finding => ({ ...check, state: 'ok', found })
export const warning = (check: Check, found: string, advice: string): Finding => ({ ...check, state: 'warning', found, advice })
export const error = (check: Check, found: string, advice: string): Finding => ({ ...check, state: 'error', found, advice })
export const unknown = (check: Check, found: string, advice?: string): Finding => ({
  ...check,
  state: 'unknown',
  found,
  ...(advice !== undefined && { advice }),
})

/** A failure in half a line, without a stack. */
export function reasonOf(failure: unknown): string {
  // What WebSockets fail with.
  if (failure instanceof Event)
    return 'error' in failure && failure.error instanceof Error ? reasonOf(failure.error) : 'no WebSocket was opened'
  if (!(failure instanceof Error)) return String(failure)
  // multistream-select met something else.
  if (failure.message === 'Missing newline') return 'what answers there does not speak libp2p'
  const inner = failure instanceof AggregateError ? failure.errors[0] : failure.cause
  const text = failure.message === '' || (failure.message === 'fetch failed' && inner !== undefined) ? reasonOf(inner) : failure.message
  const code = 'code' in failure && typeof failure.code === 'string' ? failure.code : undefined
  return WORDS[code ?? ''] ?? text.split('\n')[0]?.slice(0, 160) ?? 'it failed'
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'no way there',
  ENETUNREACH: 'no way there',
  ECONNRESET: 'the connection was cut',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name server does not answer',
}
