/**
 * One end of the tunnel's byte pipe: what has to go out, what has come in, and how it ended. Both the bridge and the client have one; frames between the
 * two may be lost, doubled and reordered as one likes (SPEC.md). No I/O, no clock: whoever owns it carries frames when `onWork` says that there are some.
 */
import type { Uint8ArrayList } from 'uint8arraylist'
import { TUNNEL_WINDOW_BYTES } from '../limits.ts'
import type { FlowFrame, TunnelFrame } from '../wire/tunnel-frame.ts'
import { createPipeReceiver } from './pipe-receiver.ts'
import { createPipeSender } from './pipe-sender.ts'

/** `code` 0: in order, after all bytes. Others cut; the bridge's are those of its WebSocket close frames. */
export interface PipeEnd {
  readonly code: number
  readonly reason: string
}

export const PIPE_CLOSED = 0
/** Cut without a better reason. */
export const PIPE_RESET = 1

export interface PipeEvents {
  /** The next bytes, in order, once each. */
  onBytes(bytes: Uint8ArrayList): void
  /** After a `write` that was answered false: there is room again. */
  onDrain(): void
  /** How the other side ended it; once, after all of its bytes unless it was cut. */
  onEnd(end: PipeEnd): void
  /** There may be something to carry. */
  onWork(): void
}

export interface BytePipe {
  /** @returns false when the writer should wait for `onDrain`. Nothing is refused. */
  write(bytes: Uint8Array | Uint8ArrayList): boolean
  /** Ends it after what was written. */
  finish(): void
  /** Ends it at once; what is on the way is dropped. Nothing after the first end changes anything. */
  cut(end: PipeEnd): void
  /** While paused, bytes stay here and the other side is held back. */
  pause(): void
  resume(): void
  /** @throws FootbridgeError `protocol_violation` */
  apply(frame: TunnelFrame): void
  /** To be put at the head of a body. */
  flow(): FlowFrame
  /** The other side waits for a flow frame, or is about to. */
  readonly isFlowDue: boolean
  /** What is to be carried from `from` on, up to `maxBytes`. `next` is where to go on. */
  outgoing(from: number, maxBytes: number): { readonly frames: readonly TunnelFrame[]; readonly next: number }
  /** All below this has come to the other side, the end counted as one byte. */
  readonly acknowledged: number
  /** Bytes that wait for room or an acknowledgement. */
  readonly pending: number
  /** Bytes kept in both directions. */
  readonly held: number
  /** The other side has everything, its end included. */
  readonly isDelivered: boolean
  /** Was cut here, or the other side ended it. */
  readonly isOver: boolean
}

/** Pending bytes at which the writer is told to wait, and below which it may go on. */
const HIGH_WATER_BYTES = TUNNEL_WINDOW_BYTES
const LOW_WATER_BYTES = HIGH_WATER_BYTES / 2

export function createBytePipe(events: PipeEvents, windowBytes: number = TUNNEL_WINDOW_BYTES): BytePipe {
  const sender = createPipeSender()
  const receiver = createPipeReceiver(windowBytes)
  let told: FlowFrame = { type: 'flow', received: 0, limit: 0 }
  let isPaused = false
  let waitsForDrain = false
  let ownCut: PipeEnd | undefined
  let theirEnd: PipeEnd | undefined

  const over = (): boolean => ownCut !== undefined || theirEnd !== undefined

  const end = (their: PipeEnd): void => {
    theirEnd = their
    sender.clear()
    receiver.clear()
    events.onEnd(their)
  }

  const deliver = (): void => {
    // A reader may pause, or end everything, in the middle.
    while (!isPaused && !over()) {
      const bytes = receiver.take()
      if (bytes === undefined) break
      events.onBytes(bytes)
    }
    if (receiver.isFinished && !over()) end({ code: PIPE_CLOSED, reason: '' })
  }

  const acknowledge = ({ received, limit }: FlowFrame): void => {
    sender.acknowledge(received, limit)
    if (!waitsForDrain || sender.pending > LOW_WATER_BYTES) return
    waitsForDrain = false
    events.onDrain()
  }

  const pipe: BytePipe = {
    write(bytes) {
      sender.write(bytes)
      waitsForDrain ||= sender.pending >= HIGH_WATER_BYTES
      events.onWork()
      return !waitsForDrain
    },
    finish() {
      if (over() || sender.isFinished) return
      sender.finish()
      events.onWork()
    },
    cut(own) {
      if (over()) return
      ownCut = own
      sender.clear()
      receiver.clear()
      events.onWork()
    },
    pause() {
      isPaused = true
    },
    resume() {
      isPaused = false
      deliver()
      if (pipe.isFlowDue) events.onWork()
    },
    apply(frame) {
      if (over()) return
      if (frame.type === 'flow') acknowledge(frame)
      else if (frame.type === 'end' && frame.code !== PIPE_CLOSED) end({ code: frame.code, reason: frame.reason })
      else if (frame.type === 'end') receiver.receiveEnd(frame.offset)
      else if (frame.type === 'data')
        receiver.receive(frame.offset, frame.bytes instanceof Uint8Array ? frame.bytes : frame.bytes.subarray())
      deliver()
    },
    flow() {
      told = { type: 'flow', received: receiver.received, limit: receiver.limit }
      return told
    },
    get isFlowDue() {
      return receiver.limit - told.limit >= windowBytes / 2 || receiver.received - told.received >= windowBytes / 4
    },
    outgoing(from, maxBytes) {
      if (ownCut !== undefined) return { frames: [{ type: 'end', offset: sender.written, ...ownCut }], next: from }
      const data = sender.read(from, maxBytes)
      const next = data === undefined ? Math.max(from, sender.acknowledged) : data.offset + data.bytes.byteLength
      const frames: TunnelFrame[] = data === undefined ? [] : [{ type: 'data', ...data }]
      if (!sender.isFinished || over() || next !== sender.written) return { frames, next }
      return { frames: [...frames, { type: 'end', offset: next, code: PIPE_CLOSED, reason: '' }], next: next + 1 }
    },
    get acknowledged() {
      return sender.acknowledged
    },
    get pending() {
      return sender.pending
    },
    get held() {
      return sender.pending + receiver.kept
    },
    get isDelivered() {
      return sender.isFinished && sender.acknowledged > sender.written
    },
    get isOver() {
      return over()
    },
  }
  return pipe
}
