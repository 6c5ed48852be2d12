/**
 * Yamux over a byte link: `/yamux/1.0.0` on the wire. Frames of one turn of the event loop leave together. What decides about order:
 *
 * - control frames and ordinary streams go to the connection at once;
 * - diverted streams (circuits) go while the connection has room, then wait, one frame each in turn. So control is behind at most what the connection holds.
 *
 * Differences from @libp2p/yamux, none on the wire: windows open when bytes have left and not when they arrived, and never beyond the 256 KiB that they begin with;
 * streams are found by number, not by search; there is no keep-alive of its own; a go-away takes the connection down with it (pitfall A5.1).
 */
import {
  MuxerClosedError,
  TooManyOutboundProtocolStreamsError,
  type AbortOptions,
  type EventHandler,
  type Logger,
  type MessageStream,
  type StreamMuxer,
  type StreamMuxerEvents,
  type StreamMuxerStatus,
} from '@libp2p/interface'
import { TypedEventEmitter } from 'main-event'
import { byteLinkOf, type ByteLink } from '../byte-link.ts'
import { createHeader, FLAG, GO_AWAY, HEADER_BYTES, TYPE, writeHeader } from './frame.ts'
import { FrameParser } from './frame-parser.ts'
import { YamuxStream, type FrameSender } from './yamux-stream.ts'

export interface YamuxInit {
  readonly maxInboundStreams: number
  readonly maxOutboundStreams: number
}

/** A frame that grows while it waits to leave; with its header below what every yamux takes at once. */
const MAX_MERGED_BYTES = 128 * 1024
/** Data that one turn hands to the connection; more would be out of order with what arrives next. */
const MAX_BATCH_BYTES = 128 * 1024
/** Control frames that wait for a connection that takes nothing. They answer what the remote sends, so a remote that only sends would make us hold them without end. */
const MAX_CONTROL_BACKLOG_BYTES = 1024 * 1024
const MAX_STREAM_ID = 2 ** 32 - 1
/** Streams opened by the remote before anybody listens. */
const MAX_EARLY_STREAMS = 16
/** What is on its way after a polite go-away. */
const CLOSE_MS = 2_000

export class YamuxMuxer extends TypedEventEmitter<StreamMuxerEvents<YamuxStream>> implements StreamMuxer<YamuxStream>, FrameSender {
  readonly protocol = '/yamux/1.0.0'
  status: StreamMuxerStatus = 'open'
  readonly #connection: MessageStream
  readonly #link: ByteLink
  readonly #log: Logger
  readonly #init: YamuxInit
  readonly #streams = new Map<number, YamuxStream>()
  readonly #isClient: boolean
  #nextStreamId: number
  #inbound = 0
  #early: YamuxStream[] = []

  /** Frames of this turn. */
  #batch: Uint8Array[] = []
  #batchBytes = 0
  /** The last frame of the batch, when it is data: more of the same stream can join it. */
  #lastData: { readonly streamId: number; readonly flags: number; readonly frame: Uint8Array; bytes: number } | undefined
  #isFlushDue = false
  #isFull = false
  /** Resets and the go-away are frames too: sending them must not fail anew. */
  #isFailing = false
  /** Diverted streams with bytes to send, in turn. */
  readonly #waiting = new Set<YamuxStream>()
  /** Ordinary streams that were told to wait. */
  readonly #thirsty = new Set<YamuxStream>()

  /** Of the data frame that is arriving; undefined when its stream is gone. */
  #receiving: YamuxStream | undefined
  #receivingFlags = 0

  constructor(connection: MessageStream, init: YamuxInit) {
    super()
    this.#connection = connection
    this.#link = byteLinkOf(connection)
    this.#log = connection.log.newScope('yamux')
    this.#init = init
    this.#isClient = connection.direction === 'outbound'
    this.#nextStreamId = this.#isClient ? 1 : 2
    connection.addEventListener('drain', () => {
      this.#isFull = false
      this.#flush()
    })
    connection.addEventListener('close', () => {
      this.#closed()
    })
    const parser = new FrameParser({
      header: (type, flags, streamId, length) => this.#onHeader(type, flags, streamId, length),
      body: (piece, headroom) => this.#receiving?.receiveData(piece, headroom),
      bodyEnd: () => {
        const stream = this.#receiving
        // Kept, it would hold a closed stream until the next data frame.
        this.#receiving = undefined
        this.#onFlags(stream, this.#receivingFlags)
      },
    })
    this.#link.attach((chunk, headroom) => {
      if (this.status === 'closed') return
      try {
        parser.receive(chunk, headroom)
      } catch (error) {
        this.#fail(error instanceof Error ? error : new Error('the yamux frames make no sense'), GO_AWAY.protocolError)
      }
    })
  }

  get streams(): YamuxStream[] {
    return [...this.#streams.values()]
  }

  async createStream(): Promise<YamuxStream> {
    if (this.status !== 'open') throw new MuxerClosedError()
    if (this.#streams.size - this.#inbound >= this.#init.maxOutboundStreams)
      throw new TooManyOutboundProtocolStreamsError('as many streams as may be are open')
    if (this.#nextStreamId > MAX_STREAM_ID) throw new MuxerClosedError('all stream numbers of this connection are used up')
    const stream = this.#add(this.#nextStreamId, 'outbound')
    this.#nextStreamId += 2
    queueMicrotask(() => {
      if (stream.isOpening && stream.status === 'open') this.sendWindowUpdate(stream, stream.takeFlags(), 0)
    })
    return stream
  }

  /** Lets every stream finish, says goodbye; the connection's owner closes the connection. */
  async close(options?: AbortOptions): Promise<void> {
    if (this.status !== 'open') return
    this.status = 'closing'
    try {
      await Promise.all(this.streams.map((stream) => stream.close(options)))
    } finally {
      this.#goAway(GO_AWAY.normal)
      this.#closed()
    }
  }

  abort(error: Error): void {
    this.#fail(error, GO_AWAY.internalError)
  }

  override addEventListener<Key extends keyof StreamMuxerEvents<YamuxStream>>(
    type: Key,
    listener: EventHandler<StreamMuxerEvents<YamuxStream>[Key]> | null,
    options?: Parameters<TypedEventEmitter<StreamMuxerEvents<YamuxStream>>['addEventListener']>[2],
  ): void {
    super.addEventListener(type, listener, options)
    if (type !== 'stream' || this.#early.length === 0) return
    const early = this.#early
    this.#early = []
    queueMicrotask(() => {
      for (const stream of early) this.safeDispatchEvent('stream', { detail: stream })
    })
  }

  // FrameSender, for the streams.

  get hasRoom(): boolean {
    return !this.#isFull && this.#batchBytes < MAX_BATCH_BYTES
  }

  sendData({ streamId }: YamuxStream, flags: number, data: Uint8Array, headroom: number): void {
    const last = this.#lastData
    if (last !== undefined && last.streamId === streamId && flags === 0 && last.bytes + data.length <= MAX_MERGED_BYTES) {
      // Every frame costs its reader a window update; what leaves together anyway is one.
      last.bytes += data.length
      writeHeader(last.frame, 0, TYPE.data, last.flags, streamId, last.bytes)
      this.#push(data)
      return
    }
    const hasRoomInFront = headroom >= HEADER_BYTES && data.byteOffset >= HEADER_BYTES
    const frame = hasRoomInFront
      ? new Uint8Array(data.buffer, data.byteOffset - HEADER_BYTES, HEADER_BYTES + data.length)
      : new Uint8Array(HEADER_BYTES)
    writeHeader(frame, 0, TYPE.data, flags, streamId, data.length)
    this.#push(frame)
    if (!hasRoomInFront) this.#push(data)
    this.#lastData = { streamId, flags, frame, bytes: data.length }
  }

  sendWindowUpdate({ streamId }: YamuxStream, flags: number, bytes: number): void {
    this.#send(createHeader(TYPE.windowUpdate, flags, streamId, bytes))
  }

  wait(stream: YamuxStream): void {
    this.#waiting.add(stream)
    this.#flushSoon()
  }

  waitForDrain(stream: YamuxStream): void {
    this.#thirsty.add(stream)
    this.#flushSoon()
  }

  /** A control frame. */
  #send(frame: Uint8Array): void {
    this.#lastData = undefined
    this.#push(frame)
  }

  #push(piece: Uint8Array): void {
    if (this.status === 'closed') return
    this.#batch.push(piece)
    this.#batchBytes += piece.length
    if (this.#isFull && this.#batchBytes > MAX_CONTROL_BACKLOG_BYTES) {
      this.#fail(new Error('the remote asks and does not listen'), GO_AWAY.internalError)
      return
    }
    this.#flushSoon()
  }

  #flushSoon(): void {
    if (this.#isFlushDue) return
    this.#isFlushDue = true
    queueMicrotask(() => {
      this.#isFlushDue = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.status === 'closed') return
    do {
      if (!this.#write()) return
      for (const stream of this.#waiting) {
        if (!this.hasRoom) break
        this.#waiting.delete(stream)
        if (stream.pump()) this.#waiting.add(stream)
      }
    } while (this.#batch.length > 0)
    if (!this.hasRoom) return
    for (const stream of this.#thirsty) {
      if (!stream.canSend && stream.status === 'open') continue
      this.#thirsty.delete(stream)
      stream.onMuxerDrain()
    }
  }

  /** @returns whether the connection takes more */
  #write(): boolean {
    if (this.#isFull || this.#connection.status !== 'open') return false
    if (this.#batch.length === 0) return true
    const batch = this.#batch
    this.#batch = []
    this.#batchBytes = 0
    this.#lastData = undefined
    try {
      this.#isFull = !this.#link.write(batch)
    } catch (error) {
      // The connection below is closing and has not said so yet.
      this.#closed()
      this.#connection.abort(error instanceof Error ? error : new Error('could not write'))
      return false
    }
    return !this.#isFull
  }

  #onHeader(type: number, flags: number, streamId: number, length: number): void {
    if (type === TYPE.ping && streamId === 0) {
      if ((flags & FLAG.syn) !== 0) this.#send(createHeader(TYPE.ping, FLAG.ack, 0, length))
    } else if (type === TYPE.goAway && streamId === 0) {
      this.#onGoAway(length)
    } else if ((type === TYPE.data || type === TYPE.windowUpdate) && streamId !== 0) {
      if ((flags & FLAG.syn) !== 0) this.#onSyn(streamId)
      const stream = this.#streams.get(streamId)
      if (type === TYPE.data) {
        stream?.expectData(length)
        this.#receiving = stream
        this.#receivingFlags = flags
      } else {
        stream?.receiveWindowUpdate(length)
        this.#onFlags(stream, flags)
      }
    } else {
      throw new Error(`a yamux frame of type ${type} for stream ${streamId}`)
    }
  }

  #onFlags(stream: YamuxStream | undefined, flags: number): void {
    if (stream === undefined) return
    if ((flags & FLAG.fin) !== 0) stream.onRemoteCloseWrite()
    if ((flags & FLAG.rst) !== 0 && stream.status === 'open') stream.onRemoteReset()
  }

  #onSyn(streamId: number): void {
    if (this.#streams.has(streamId)) return
    if (this.#isClient !== (streamId % 2 === 0)) throw new Error('both ends open the same streams')
    if (this.status !== 'open' || this.#inbound >= this.#init.maxInboundStreams || this.#early.length >= MAX_EARLY_STREAMS) {
      this.#send(createHeader(TYPE.windowUpdate, FLAG.rst, streamId, 0))
      return
    }
    const stream = this.#add(streamId, 'inbound')
    if (this.listenerCount('stream') === 0) this.#early.push(stream)
    else this.safeDispatchEvent('stream', { detail: stream })
  }

  #add(streamId: number, direction: 'inbound' | 'outbound'): YamuxStream {
    const stream = new YamuxStream({ streamId, direction, sender: this, log: this.#log })
    this.#streams.set(streamId, stream)
    if (direction === 'inbound') this.#inbound++
    stream.addEventListener('close', () => {
      this.#streams.delete(streamId)
      this.#waiting.delete(stream)
      this.#thirsty.delete(stream)
      if (direction === 'inbound') this.#inbound--
    })
    return stream
  }

  #onGoAway(code: number): void {
    if (code !== GO_AWAY.normal) {
      this.#fail(new Error('the remote went away'), GO_AWAY.internalError)
      return
    }
    this.#closed()
    // Let what is on its way arrive. Closing twice does nothing.
    this.#connection.close({ signal: AbortSignal.timeout(CLOSE_MS) }).catch((error: unknown) => {
      this.#connection.abort(error instanceof Error ? error : new Error('could not close'))
    })
  }

  #goAway(code: number): void {
    this.#send(createHeader(TYPE.goAway, 0, 0, code))
    this.#isFull = false
    this.#write()
  }

  #fail(error: Error, code: number): void {
    if (this.status === 'closed' || this.#isFailing) return
    this.#isFailing = true
    this.status = 'closing'
    // Nobody waits for it any more, and the go-away need not wait behind it.
    this.#batch = []
    this.#batchBytes = 0
    for (const stream of this.streams) stream.abort(error)
    this.#goAway(code)
    this.#closed()
    this.#connection.abort(error)
  }

  /** Nothing more comes or goes. */
  #closed(): void {
    if (this.status === 'closed') return
    this.status = 'closing'
    for (const stream of this.streams) stream.onTransportClosed()
    this.status = 'closed'
    this.#batch = []
    this.#batchBytes = 0
    this.#waiting.clear()
    this.#thirsty.clear()
  }
}
