/**
 * The streams that a client opens, in order: the first is the handshake, those that come before the handshake is done wait here, and there are few places.
 */
import type { NativeSession, NativeStream } from './binding.ts'

export interface IncomingStreams {
  /** The stream of the handshake. Rejects when the session ends before it came. */
  readonly first: Promise<NativeStream>
  /** Gives what waits, and everything from now on, to `listener`. Once. */
  deliver(listener: (stream: NativeStream) => void): void
}

/** @param onFlood called once when more than `maxEarly` streams came before `deliver`; nothing is accepted after that. */
export function acceptStreams(session: NativeSession, maxEarly: number, onFlood: () => void): IncomingStreams {
  const first = session.acceptBi()
  const early: NativeStream[] = []
  let listener: ((stream: NativeStream) => void) | undefined

  const accept = async (): Promise<void> => {
    await first
    for (;;) {
      const stream = await session.acceptBi()
      if (listener !== undefined) listener(stream)
      else if (early.push(stream) > maxEarly) {
        early.length = 0
        onFlood()
        return
      }
    }
  }
  // It ends with the session, of which others hear.
  accept().catch(() => {})

  return {
    first,
    deliver(to) {
      listener = to
      for (const stream of early.splice(0)) to(stream)
    },
  }
}
