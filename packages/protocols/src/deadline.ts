/**
 * Waits with a named deadline: every read, write and dial of a Footbridge protocol goes through here, so that an error says what took too long.
 */
import { FootbridgeError } from '@footbridge/shared/errors'

export interface Deadline {
  /** Milliseconds. */
  readonly timeoutMs: number
  /** What is waited for, as the subject of a sentence: "the acknowledgement". */
  readonly what: string
  /** Calls the work off early. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Runs `work` with a signal that fires at the deadline or with `signal`.
 * @throws FootbridgeError `timeout` or `aborted`; whatever else `work` throws passes through.
 */
export async function withDeadline<Result>(deadline: Deadline, work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const { timeoutMs, what, signal } = deadline
  if (signal?.aborted === true) throw new FootbridgeError('aborted', `${what} was called off`)
  const controller = new AbortController()
  const callOff = (): void => controller.abort(new FootbridgeError('aborted', `${what} was called off`))
  const timer = setTimeout(() => controller.abort(new FootbridgeError('timeout', `${what} took longer than ${timeoutMs} ms`)), timeoutMs)
  signal?.addEventListener('abort', callOff, { once: true })
  try {
    return await Promise.race([work(controller.signal), aborted(controller.signal)])
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', callOff)
  }
}

/** Work that does not listen to its signal must not outlive its deadline, so the signal races it. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
