/**
 * One direction of a circuit: what arrives on `from` goes out on `to`, and `from` is paused while `to` is full or the account has to wait. Memory is
 * bounded by two receive windows (the one being written, the one that arrived meanwhile), however slow the reader.
 * Half-close is kept: the end of `from` closes the writing side of `to`, after everything read before it.
 * Not here: both directions and their end (circuits.ts), what bytes cost (meter.ts).
 *
 * Why not `pipe` or `onDrain`: both buffer without bound in libp2p 3.3 (the first keeps a listener nobody reads, the second works once per stream).
 */
import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import type { Charge } from './meter.ts'

export interface PumpOptions {
  readonly from: Stream
  readonly to: Stream
  /** Called before bytes are sent, and with 0 when a wait is over. */
  readonly charge: (bytes: number) => Charge
  /** The circuit cannot go on: the reason. Called at most once. */
  readonly fail: (error: Error) => void
  readonly closeMs: number
}

/** Starts pumping; ends by itself with the streams. */
export function startPump({ from, to, charge, fail, closeMs }: PumpOptions): void {
  let full = false
  let indebted: NodeJS.Timeout | undefined
  let resuming = false
  let finished = from.remoteWriteStatus !== 'writable'
  let over = false

  const stop = (error?: Error): void => {
    if (over) return
    over = true
    clearTimeout(indebted)
    from.removeEventListener('message', onMessage)
    to.removeEventListener('drain', onDrain)
    if (error !== undefined) fail(error)
  }

  const flow = (): void => {
    const blocked = full || indebted !== undefined
    if (over || resuming) return
    if (blocked && from.readStatus === 'readable') from.pause()
    if (!blocked && from.readStatus === 'paused') {
      // resume() first delivers what was read meanwhile, and only then tells yamux to open the window again. A pause in between would be undone by that,
      // so it has to wait until resume() is through.
      resuming = true
      from.resume()
      resuming = false
      flow()
    }
  }

  const onMessage = ({ data }: StreamMessageEvent): void => {
    const charged = charge(data.byteLength)
    if (charged.state === 'exhausted') {
      stop(new Error(`the daily budget of ${charged.account} is used up`))
      return
    }
    try {
      if (!to.send(data)) full = true
    } catch (error) {
      stop(error instanceof Error ? error : new Error('could not write'))
      return
    }
    if (charged.waitMs > 0 && indebted === undefined) wait(charged.waitMs)
    flow()
  }

  /** The debt may have grown by other circuits' messages or shrunk by a change of limits: when the time is over, it is asked for anew. */
  const wait = (ms: number): void => {
    indebted = setTimeout(() => {
      indebted = undefined
      const charged = charge(0)
      if (charged.state === 'exhausted') return stop(new Error(`the daily budget of ${charged.account} is used up`))
      if (charged.waitMs > 0) wait(charged.waitMs)
      flow()
    }, ms)
  }

  const onDrain = (): void => {
    // libp2p writes what it kept in a microtask that it queued before this listener ran: look after that.
    queueMicrotask(() => {
      if (to.writableNeedsDrain || to.writeBufferLength > 0) return
      full = false
      flow()
    })
  }

  const onEnd = (): void => {
    // `end` also fires when the stream died; the close event that follows says so.
    if (!finished || over) return
    stop()
    to.close({ signal: AbortSignal.timeout(closeMs) }).catch((error: unknown) => {
      fail(error instanceof Error ? error : new Error('could not close'))
    })
  }

  from.addEventListener('remoteCloseWrite', () => {
    finished = true
  })
  from.addEventListener('end', onEnd)
  from.addEventListener('close', (event: StreamCloseEvent) => {
    if (event.error !== undefined) stop(event.error)
    else if (!finished) stop(new Error('the connection closed below the circuit'))
  })
  to.addEventListener('drain', onDrain)
  from.addEventListener('message', onMessage)
  if (from.readableEnded) onEnd()
}
