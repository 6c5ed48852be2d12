/**
 * One direction of a circuit: what arrives on `from` goes out on `to`, and `from` may send as much again as has left. While an account has to wait, what still
 * arrives is kept.
 * So at most one receive window (256 KiB with our yamux) is in here, however slow the reader.
 * Half-close is kept: the end of `from` closes the writing side of `to`, after everything read before it.
 * Not here: both directions and their end (circuits.ts), what bytes cost (meter.ts), how streams are read and written (pump-ends.ts).
 */
import { ByteQueue } from '@footbridge/links/byte-queue'
import type { Stream, StreamCloseEvent } from '@libp2p/interface'
import type { Charge } from './meter.ts'
import { sinkOf, sourceOf } from './pump-ends.ts'

export interface PumpOptions {
  readonly from: Stream
  readonly to: Stream
  /** Called before bytes are sent, and with 0 when a wait is over. */
  readonly charge: (bytes: number) => Charge
  /** The circuit cannot go on: the reason. Called at most once. */
  readonly fail: (error: Error) => void
  readonly closeMs: number
}

const KEPT_PIECE_BYTES = 64 * 1024

/** Starts pumping; ends by itself with the streams. */
export function startPump({ from, to, charge, fail, closeMs }: PumpOptions): void {
  const source = sourceOf(from)
  const sink = sinkOf(to)
  /** Arrived and not sent on. */
  let held = 0
  /** Arrived while an account has to wait; charged already. */
  const kept = new ByteQueue()
  let indebted: NodeJS.Timeout | undefined
  let finished = false
  let over = false

  const stop = (error?: Error): void => {
    if (over) return
    over = true
    clearTimeout(indebted)
    kept.clear()
    source.stop()
    sink.stop()
    if (error !== undefined) fail(error)
  }

  const onBytes = (chunk: Uint8Array, headroom: number): void => {
    const charged = charge(chunk.length)
    if (charged.state === 'exhausted') {
      stop(exhausted(charged.account))
      return
    }
    held += chunk.length
    // The message that makes the debt still goes.
    if (indebted === undefined) send(chunk, headroom)
    else kept.push(chunk)
    if (charged.waitMs > 0 && indebted === undefined) wait(charged.waitMs)
  }

  const send = (chunk: Uint8Array, headroom: number): void => {
    try {
      sink.send(chunk, headroom)
    } catch (error) {
      stop(error instanceof Error ? error : new Error('could not write'))
    }
  }

  const onSent = (bytes: number): void => {
    held -= bytes
    source.credit(bytes)
    if (finished && held === 0) finish()
  }

  /** The debt may have grown by other circuits' messages or shrunk by a change of limits: when the time is over, it is asked for anew. */
  const wait = (ms: number): void => {
    indebted = setTimeout(() => {
      indebted = undefined
      const charged = charge(0)
      if (charged.state === 'exhausted') return stop(exhausted(charged.account))
      if (charged.waitMs > 0) return wait(charged.waitMs)
      while (kept.length > 0 && !over) send(kept.take(KEPT_PIECE_BYTES), 0)
    }, ms)
  }

  const onEnd = (): void => {
    finished = true
    if (held === 0) finish()
  }

  const finish = (): void => {
    if (over) return
    stop()
    to.close({ signal: AbortSignal.timeout(closeMs) }).catch((error: unknown) => {
      fail(error instanceof Error ? error : new Error('could not close'))
    })
  }

  from.addEventListener('close', (event: StreamCloseEvent) => {
    if (event.error !== undefined) stop(event.error)
    else if (!finished) stop(new Error('the connection closed below the circuit'))
  })
  sink.start(onSent)
  source.start(onBytes, onEnd)
}

function exhausted(account: string): Error {
  return new Error(`the daily budget of ${account} is used up`)
}
