/**
 * For tests: two ends of a connection in one process, without a network. What is sent in one turn of the event loop arrives in a later one, cut as the test
 * wants; pausing, 'drain', closing and aborting are real. It has no byte link of its own, so that the adapter of byte-link.ts is used.
 */
import { defaultLogger } from '@libp2p/logger'
import { AbstractMultiaddrConnection, type SendResult } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { Uint8ArrayList } from 'uint8arraylist'
import { vi } from 'vitest'

export interface WireOptions {
  /** Cuts what arrives together. By default it arrives as one chunk. */
  readonly cut?: (bytes: Uint8Array) => readonly Uint8Array[]
  /** Bytes on the way at which the sender is told to wait. */
  readonly capacity?: number
}

export class Wire extends AbstractMultiaddrConnection {
  readonly #options: WireOptions
  #onWay = new Uint8ArrayList()
  #isDue = false
  #isHeld = false
  #needsDrain = false
  /** Everything that this end has sent, from the moment that it is set. */
  tap: ((bytes: Uint8Array) => void) | undefined
  other: Wire | undefined
  bytesSent = 0

  constructor(direction: 'inbound' | 'outbound', options: WireOptions) {
    super({ direction, remoteAddr: multiaddr('/ip4/127.0.0.1/tcp/1'), log: defaultLogger().forComponent(`test:${direction}`) })
    this.#options = options
  }

  get bytesOnWay(): number {
    return this.#onWay.byteLength
  }

  override sendData(data: Uint8ArrayList): SendResult {
    const bytes = data.slice()
    this.tap?.(bytes)
    this.bytesSent += bytes.length
    this.#onWay.append(bytes)
    this.#deliverSoon()
    this.#needsDrain = this.#onWay.byteLength >= (this.#options.capacity ?? 256 * 1024)
    return { sentBytes: bytes.length, canSendMore: !this.#needsDrain }
  }

  override sendReset(): void {
    this.#onWay = new Uint8ArrayList()
    setImmediate(() => {
      if (this.other?.status === 'open') this.other.onRemoteReset()
    })
  }

  override async sendClose(): Promise<void> {
    await eventually(() => {
      if (this.#onWay.byteLength > 0) throw new Error('bytes are on their way')
    })
    this.other?.onTransportClosed()
  }

  override sendPause(): void {
    this.other?.hold(true)
  }

  override sendResume(): void {
    this.other?.hold(false)
  }

  /** Nothing arrives while it is held. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld
    this.#deliverSoon()
  }

  #deliverSoon(): void {
    if (this.#isDue) return
    this.#isDue = true
    setImmediate(() => {
      this.#isDue = false
      this.#deliver()
    })
  }

  #deliver(): void {
    if (this.#isHeld) return
    const bytes = this.#onWay.slice()
    this.#onWay = new Uint8ArrayList()
    for (const chunk of this.#options.cut?.(bytes) ?? [bytes]) if (this.other?.status === 'open') this.other.onData(chunk)
    if (!this.#needsDrain) return
    this.#needsDrain = false
    this.safeDispatchEvent('drain')
  }
}

/** The dialler first. */
export function createWires(options: WireOptions = {}): [Wire, Wire] {
  const wires: [Wire, Wire] = [new Wire('outbound', options), new Wire('inbound', options)]
  ;[wires[0].other, wires[1].other] = [wires[1], wires[0]]
  return wires
}

/** Cuts into pieces of these lengths, in turn. */
export function cutter(lengths: readonly number[]): (bytes: Uint8Array) => Uint8Array[] {
  let turn = 0
  return (bytes) => {
    const pieces: Uint8Array[] = []
    for (let offset = 0; offset < bytes.length;) {
      const length = lengths[turn++ % lengths.length] ?? 1
      // Memory of its own, as a socket's chunk has: neighbours must not matter.
      pieces.push(new Uint8Array(bytes.subarray(offset, offset + length)))
      offset += length
    }
    return pieces
  }
}

export const eventually = <Value>(check: () => Value | Promise<Value>): Promise<Value> =>
  vi.waitFor(check, { timeout: 10_000, interval: 2 })

/** Bytes that differ from their neighbours in every way that matters here. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    bytes[index] = state >>> 16
  }
  return bytes
}

/** Whether they are the same bytes; comparing megabytes with `toEqual` takes minutes. */
export const sameBytes = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0
