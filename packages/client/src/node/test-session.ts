/** For tests: two ends of a WebTransport session that are nothing but the platform's streams, with a window that holds a sender up. */
import type { Session } from './session-muxer.ts'

type Bidirectional = WebTransportBidirectionalStream

/** @param windowBytes what one direction of a stream takes before its reader reads. */
export function sessionPair(windowBytes = 64 * 1024): [FakeSession, FakeSession] {
  const one = new FakeSession(windowBytes)
  const other = new FakeSession(windowBytes)
  one.remote = other
  other.remote = one
  return [one, other]
}

export class FakeSession implements Session {
  readonly closed: Promise<WebTransportCloseInfo>
  readonly incomingBidirectionalStreams: ReadableStream<Bidirectional>
  remote: FakeSession | undefined
  isClosed = false
  readonly #windowBytes: number
  readonly #end = Promise.withResolvers<WebTransportCloseInfo>()
  #incoming: ReadableStreamDefaultController<Bidirectional> | undefined

  constructor(windowBytes: number) {
    this.#windowBytes = windowBytes
    this.closed = this.#end.promise
    this.incomingBidirectionalStreams = new ReadableStream({ start: (controller) => void (this.#incoming = controller) })
  }

  createBidirectionalStream(): Promise<Bidirectional> {
    if (this.isClosed) return Promise.reject(new Error('the session is closed'))
    const [up, down] = [this.#direction(), this.#direction()]
    this.remote?.receive({ readable: up.readable, writable: down.writable } as Bidirectional)
    return Promise.resolve({ readable: down.readable, writable: up.writable } as Bidirectional)
  }

  receive(stream: Bidirectional): void {
    this.#incoming?.enqueue(stream)
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#incoming?.close()
    this.#end.resolve({ closeCode: 0, reason: '' })
    this.remote?.close()
  }

  #direction(): TransformStream<Uint8Array, Uint8Array> {
    const strategy = new ByteLengthQueuingStrategy({ highWaterMark: this.#windowBytes })
    return new TransformStream<Uint8Array, Uint8Array>({}, strategy, strategy)
  }
}
