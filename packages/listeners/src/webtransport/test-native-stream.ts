/**
 * For tests: two ends of a stream in memory, with the manners of the native one that hurt (binding.ts): `stop` waits for a `read` that waits, `reset` for a
 * `write` that waits, writes that overlap are refused, and a write waits while the window is full.
 */
import type { NativeRecv, NativeSend, NativeStream } from './binding.ts'

/** @param windowBytes written and not read yet, at most, in each direction. */
export function fakeStreamPair(windowBytes = 1_250_000): [NativeStream, NativeStream] {
  const [there, back] = [new Pipe(windowBytes), new Pipe(windowBytes)]
  const end = (send: NativeSend, recv: NativeRecv): NativeStream => ({ takeSend: () => send, takeRecv: () => recv })
  return [end(there, back), end(back, there)]
}

class Pipe implements NativeSend, NativeRecv {
  readonly #windowBytes: number
  #bytes = Buffer.alloc(0)
  #state: 'open' | 'finished' | { error: string } = 'open'
  #stopped: number | undefined
  #writing: Promise<void> = Promise.resolve()
  #reading: Promise<unknown> = Promise.resolve()
  #isWriting = false
  #changed = Promise.withResolvers<void>()

  constructor(windowBytes: number) {
    this.#windowBytes = windowBytes
  }

  async write(data: Buffer): Promise<void> {
    if (this.#isWriting) throw new Error('two writes at once')
    this.#isWriting = true
    const work = this.#write(data).finally(() => {
      this.#isWriting = false
    })
    this.#writing = work.catch(() => {})
    return work
  }

  async finish(): Promise<void> {
    await this.#writing
    if (this.#state === 'open') this.#state = 'finished'
    this.#change()
  }

  async reset(code: number): Promise<void> {
    await this.#writing
    if (this.#state === 'open') this.#state = { error: `RESET_STREAM: ${code}` }
    this.#change()
  }

  async read(maxBytes: number): Promise<Buffer | null> {
    const work = this.#read(maxBytes)
    this.#reading = work.catch(() => {})
    return work
  }

  async stop(code: number): Promise<void> {
    await this.#reading
    this.#stopped = code
    this.#change()
  }

  async #write(data: Buffer): Promise<void> {
    while (this.#stopped === undefined && this.#state === 'open' && this.#bytes.length >= this.#windowBytes) await this.#changed.promise
    if (this.#stopped !== undefined) throw new Error(`STOP_SENDING: ${this.#stopped}`)
    if (this.#state !== 'open') throw new Error('stream closed')
    this.#bytes = Buffer.concat([this.#bytes, data])
    this.#change()
  }

  async #read(maxBytes: number): Promise<Buffer | null> {
    while (this.#stopped === undefined && this.#state === 'open' && this.#bytes.length === 0) await this.#changed.promise
    if (typeof this.#state === 'object') throw new Error(this.#state.error)
    if (this.#stopped !== undefined || this.#bytes.length === 0) return null
    const chunk = this.#bytes.subarray(0, maxBytes)
    this.#bytes = this.#bytes.subarray(chunk.length)
    this.#change()
    return chunk
  }

  #change(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
