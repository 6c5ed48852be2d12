/**
 * For tests: the end of a stream that a handler is given, with a hand on it where the network would be. What a pair of whole streams costs is most of what a test of a
 * hundred thousand messages would measure.
 * Not here: what is put on it (test-messages.ts) and how often (test-fuzz.ts).
 */
import type { Logger, Stream } from '@libp2p/interface'
import { AbstractStream, type SendResult } from '@libp2p/utils'
import type { Uint8ArrayList } from 'uint8arraylist'

/** One for all: libp2p's makes three functions and a colour for each stream. */
const log: Logger = Object.assign(() => {}, { enabled: false, trace: () => {}, error: () => {}, newScope: () => log })
let streams = 0

export class ServedStream extends AbstractStream implements Stream {
  #sent: Uint8Array[] = []
  readonly #heard = Promise.withResolvers<void>()
  readonly #closed = Promise.withResolvers<void>()
  /** Resolves when the handler has sent something, or the stream is closed. */
  readonly heard = this.#heard.promise
  /** Resolves when both halves are, or it was reset by either side. */
  readonly closed = this.#closed.promise

  constructor(protocol: string) {
    super({ id: String(streams++), protocol, direction: 'inbound', log })
    this.addEventListener('close', () => {
      this.#closed.resolve()
      this.#heard.resolve()
    })
  }

  /** What the handler has sent, from the beginning. */
  sent(): Uint8Array {
    const whole = new Uint8Array(this.#sent.reduce((sum, { length }) => sum + length, 0))
    let offset = 0
    for (const part of this.#sent) {
      whole.set(part, offset)
      offset += part.length
    }
    return whole
  }

  /** What was sent is not kept any longer, though something should still hold the stream. */
  forget(): void {
    this.#sent = []
  }

  /** The remote sends. What comes after the end is lost, as on a wire. */
  give(bytes: Uint8Array): void {
    if (this.status === 'open') this.onData(bytes)
  }

  /** The remote ends its side. */
  end(): void {
    if (this.status === 'open') this.onRemoteCloseWrite()
  }

  /** The remote resets. */
  cut(): void {
    if (this.status === 'open') this.onRemoteReset()
  }

  override sendData(data: Uint8ArrayList): SendResult {
    this.#sent.push(data.slice())
    this.#heard.resolve()
    return { sentBytes: data.byteLength, canSendMore: true }
  }

  override sendReset(): void {}

  override async sendCloseWrite(): Promise<void> {
    this.#heard.resolve()
  }

  override async sendCloseRead(): Promise<void> {}

  override sendPause(): void {}

  override sendResume(): void {}
}
