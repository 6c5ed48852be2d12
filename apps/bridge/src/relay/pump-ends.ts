/**
 * The two ends of a pump: where bytes come from and where they go, as a pump needs them, over any libp2p stream. Streams of our own yamux pass bytes from
 * hand to hand; those of other muxers (WebTransport's, say) go through libp2p's events, and are paused and resumed.
 * Not here: what bytes cost and when a circuit ends (pump.ts).
 */
import { isDirectStream, type DirectStream } from '@footbridge/links/direct-stream'
import type { Stream, StreamMessageEvent } from '@libp2p/interface'

export interface Source {
  /** `bytes`: what arrives, and how much in front of it may be overwritten. `end`: everything has arrived. At most once. */
  start(bytes: (chunk: Uint8Array, headroom: number) => void, end: () => void): void
  /** So many bytes have gone on: as many more may come. */
  credit(bytes: number): void
  /** Gives nothing any more. */
  stop(): void
}

export interface Sink {
  /** Told how many bytes have left. Before the first `send`. */
  start(sent: (bytes: number) => void): void
  /** Sends, or keeps. @throws when the stream is closed */
  send(chunk: Uint8Array, headroom: number): void
  stop(): void
}

export function sourceOf(stream: Stream): Source {
  return isDirectStream(stream) ? directSource(stream) : eventSource(stream)
}

export function sinkOf(stream: Stream): Sink {
  return isDirectStream(stream) ? directSink(stream) : eventSink(stream)
}

function directSource(stream: DirectStream): Source {
  let stopped = false
  return {
    start(bytes, end) {
      const onEnd = (): void => {
        if (!stopped) end()
      }
      stream.divert((chunk, headroom) => {
        if (!stopped) bytes(chunk, headroom)
      })
      if (stream.remoteWriteStatus === 'writable') stream.addEventListener('remoteCloseWrite', onEnd, { once: true })
      else onEnd()
    },
    credit(bytes) {
      if (!stopped) stream.credit(bytes)
    },
    stop() {
      stopped = true
    },
  }
}

function directSink(stream: DirectStream): Sink {
  return {
    start(sent) {
      stream.onForwarded = sent
    },
    send(chunk, headroom) {
      stream.forward(chunk, headroom)
    },
    stop() {
      stream.onForwarded = undefined
    },
  }
}

/** Bytes on their way through at which a stream without credit is paused: what it has in flight then still arrives, which its muxer bounds. */
const PAUSED_AT_BYTES = 64 * 1024

function eventSource(stream: Stream): Source {
  let onMessage: ((event: StreamMessageEvent) => void) | undefined
  let onWay = 0
  let resuming = false

  const flow = (): void => {
    if (onMessage === undefined || resuming) return
    if (onWay >= PAUSED_AT_BYTES && stream.readStatus === 'readable') stream.pause()
    if (onWay < PAUSED_AT_BYTES && stream.readStatus === 'paused') {
      // resume() first delivers what was read meanwhile, and only then tells the muxer to open the window again. A pause in between would be undone by
      // that, so it has to wait until resume() is through.
      resuming = true
      stream.resume()
      resuming = false
      flow()
    }
  }

  return {
    start(bytes, end) {
      onMessage = ({ data }) => {
        onWay += data.byteLength
        bytes(data.subarray(), 0)
        flow()
      }
      // `end` also fires when the stream died; then nobody has closed its writing side, and the close event that follows says so.
      let finished = stream.remoteWriteStatus !== 'writable'
      const onEnd = (): void => {
        if (finished && onMessage !== undefined) end()
      }
      stream.addEventListener('remoteCloseWrite', () => {
        finished = true
      })
      stream.addEventListener('end', onEnd)
      stream.addEventListener('message', onMessage)
      if (stream.readableEnded) onEnd()
    },
    credit(bytes) {
      onWay -= bytes
      flow()
    },
    stop() {
      if (onMessage !== undefined) stream.removeEventListener('message', onMessage)
      onMessage = undefined
    },
  }
}

function eventSink(stream: Stream): Sink {
  let onSent: ((bytes: number) => void) | undefined
  let waiting = 0

  const onDrain = (): void => {
    // libp2p writes what it kept in a microtask that it queued before this listener ran: look after that.
    queueMicrotask(() => {
      if (stream.writableNeedsDrain || stream.writeBufferLength > 0) return
      const bytes = waiting
      waiting = 0
      if (bytes > 0) onSent?.(bytes)
    })
  }

  return {
    start(sent) {
      onSent = sent
      stream.addEventListener('drain', onDrain)
    },
    send(chunk) {
      if (stream.send(chunk)) onSent?.(chunk.length)
      else waiting += chunk.length
    },
    stop() {
      onSent = undefined
      stream.removeEventListener('drain', onDrain)
    },
  }
}
