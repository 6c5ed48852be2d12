/**
 * Tells a program what happens, through one bounded queue per reader: a reader that is too slow loses the oldest events and is told how many.
 * Not here: what the events mean (api.ts) and where they come from (connect.ts, topics.ts, streams.ts).
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import type { ProgramEvent, ProgramEvents } from './api.ts'
import { MAX_QUEUED_BYTES, MAX_QUEUED_EVENTS, MAX_READERS } from './limits.ts'

export interface EventHub extends ProgramEvents {
  /** @returns how many readers were told. */
  tell(event: ProgramEvent): number
  /** Readers end once they have read what waits. Idempotent. */
  close(): void
}

export interface EventHubParts {
  /** What a new reader is told first. */
  readonly standing: () => readonly ProgramEvent[]
  /** Nobody will read this event: what it holds must be let go. Called once for each reader that lost it. */
  readonly onDropped: (event: ProgramEvent) => void
  /** A listener threw. */
  readonly onError: (error: unknown) => void
}

interface Reader {
  take(event: ProgramEvent): void
  end(): void
}

export function createEventHub(parts: EventHubParts): EventHub {
  const readers = new Set<Reader>()
  let isClosed = false

  const add = (reader: Reader): void => {
    if (readers.size >= MAX_READERS) throw new FootbridgeError('rate_limited', `more than ${MAX_READERS} readers of events`)
    if (isClosed) return reader.end()
    readers.add(reader)
    for (const event of parts.standing()) reader.take(event)
  }

  return {
    subscribe(listener) {
      const reader: Reader = {
        take(event) {
          try {
            listener(event)
          } catch (error) {
            parts.onError(error)
          }
        },
        end: () => undefined,
      }
      add(reader)
      return () => readers.delete(reader)
    },
    [Symbol.asyncIterator]() {
      const queue = new EventQueue(parts.onDropped, () => readers.delete(queue))
      add(queue)
      return queue
    },
    tell(event) {
      for (const reader of readers) reader.take(event)
      return readers.size
    },
    close() {
      isClosed = true
      for (const reader of readers) reader.end()
      readers.clear()
    },
  }
}

type Result = IteratorResult<ProgramEvent, void>

class EventQueue implements Reader, AsyncIterator<ProgramEvent, void> {
  readonly #onDropped: (event: ProgramEvent) => void
  readonly #onReturn: () => void
  readonly #waiting: ((result: Result) => void)[] = []
  #events: ProgramEvent[] = []
  #bytes = 0
  #missed = 0
  #isEnded = false

  constructor(onDropped: (event: ProgramEvent) => void, onReturn: () => void) {
    this.#onDropped = onDropped
    this.#onReturn = onReturn
  }

  take(event: ProgramEvent): void {
    const waiting = this.#waiting.shift()
    if (waiting !== undefined) return waiting({ done: false, value: event })
    this.#events.push(event)
    this.#bytes += sizeOf(event)
    // The newest stays, however large it is.
    while (this.#events.length > 1 && (this.#events.length > MAX_QUEUED_EVENTS || this.#bytes > MAX_QUEUED_BYTES)) {
      this.#missed++
      this.#drop(this.#events.shift())
    }
  }

  end(): void {
    this.#isEnded = true
    for (const waiting of this.#waiting.splice(0)) waiting({ done: true, value: undefined })
  }

  next(): Promise<Result> {
    if (this.#missed > 0) {
      const missed = this.#missed
      this.#missed = 0
      return Promise.resolve({ done: false, value: { type: 'lagged', missed } })
    }
    const event = this.#events.shift()
    if (event !== undefined) {
      this.#bytes -= sizeOf(event)
      return Promise.resolve({ done: false, value: event })
    }
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined })
    if (this.#waiting.length >= MAX_QUEUED_EVENTS) return Promise.reject(new FootbridgeError('rate_limited', 'too many reads at once'))
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  return(): Promise<Result> {
    this.end()
    this.#onReturn()
    this.#missed = 0
    for (const event of this.#events.splice(0)) this.#drop(event)
    return Promise.resolve({ done: true, value: undefined })
  }

  #drop(event: ProgramEvent | undefined): void {
    if (event === undefined) return
    this.#bytes -= sizeOf(event)
    this.#onDropped(event)
  }
}

function sizeOf(event: ProgramEvent): number {
  return event.type === 'message' ? event.message.data.length : 0
}
