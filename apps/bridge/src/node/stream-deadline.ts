/** A time by which a stream must have ended, or have done what was expected of it. Not here: deadlines of one read or write, which take an AbortSignal. */
import type { Stream } from '@libp2p/interface'

/** Resets the stream after this time. It need not be called off when the stream ends before. @returns calls it off. */
export function resetAfter(stream: Stream, ms: number, reason: string): () => void {
  const timer = setTimeout(() => {
    stream.abort(new Error(reason))
  }, ms)
  timer.unref()
  const callOff = (): void => {
    clearTimeout(timer)
    stream.removeEventListener('close', callOff)
  }
  if (stream.status === 'open') stream.addEventListener('close', callOff)
  else callOff()
  return callOff
}
