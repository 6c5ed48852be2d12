/**
 * Streams of a program's own protocols: opened over the best connection, and taken in. An incoming stream has one owner: its handler, or, without one, the
 * readers of its event; when nobody is left who could read it, it is cut.
 * Not here: which connection is the best (paths/, and connect.ts, which passes it in).
 */
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { FootbridgeError } from '@footbridge/shared/errors'
import { withDeadline } from '@footbridge/protocols/deadline'
import { parsePeer } from './addresses.ts'
import type { IncomingStream, NetworkClient, ProgramEvent, StreamHandler } from './api.ts'
import { MAX_INBOUND_STREAMS, MAX_OUTBOUND_STREAMS, MAX_PROTOCOLS, STREAM_TIMEOUT_MS } from './limits.ts'

const MAX_PROTOCOL_LENGTH = 256

export interface StreamsParts {
  readonly libp2p: Pick<Libp2p, 'handle' | 'unhandle' | 'getProtocols'>
  /** The best connection that is there, or a new one. */
  readonly connection: (peer: string, signal: AbortSignal) => Promise<Connection>
  /** @returns how many readers were told. */
  readonly tell: (event: ProgramEvent) => number
  /** A handler failed. */
  readonly onError: (protocol: string, error: unknown) => void
  /** The client closes. */
  readonly signal: AbortSignal
}

export interface Streams extends Pick<NetworkClient, 'openStream' | 'handle'> {
  /** A reader will not read this event. */
  dropped(event: ProgramEvent): void
}

export function createStreams({ libp2p, connection, tell, onError, signal: stopping }: StreamsParts): Streams {
  const handled = new Set<string>()
  /** Readers that may still take a stream which no handler owns. */
  const unread = new WeakMap<Stream, number>()

  const refuse = (stream: Stream): void => stream.abort(new Error('nobody reads it'))

  const take = (opened: IncomingStream, handler: StreamHandler | undefined): void => {
    const { protocol, stream } = opened
    if (handler === undefined) {
      const readers = tell({ type: 'streamOpened', ...opened })
      if (readers === 0) refuse(stream)
      else unread.set(stream, readers)
      return
    }
    // The handler first, so that it reads what comes before anybody else can.
    const fail = (error: unknown): void => {
      onError(protocol, error)
      stream.abort(error instanceof Error ? error : new Error(String(error)))
    }
    try {
      handler(opened)?.catch(fail)
    } catch (error) {
      fail(error)
    }
    tell({ type: 'streamOpened', ...opened })
  }

  return {
    async openStream(text, protocol, signal) {
      const peer = parsePeer(text)
      checkProtocol(protocol)
      const either = signal === undefined ? stopping : AbortSignal.any([stopping, signal])
      const link = await connection(peer, either)
      return withDeadline({ timeoutMs: STREAM_TIMEOUT_MS, what: 'opening the stream', signal: either }, async (inner) => {
        try {
          const options = { signal: inner, runOnLimitedConnection: true, maxOutboundStreams: MAX_OUTBOUND_STREAMS }
          return await link.newStream(protocol, options)
        } catch (cause) {
          if (cause instanceof Error && cause.name === 'UnsupportedProtocolError')
            throw new FootbridgeError('not_found', `the peer does not speak ${protocol}`, { cause })
          throw new FootbridgeError('peer_unreachable', 'the connection took no stream', { cause })
        }
      })
    },
    async handle(protocol, handler, { maxInboundStreams = MAX_INBOUND_STREAMS } = {}) {
      checkProtocol(protocol)
      if (stopping.aborted) throw new FootbridgeError('aborted', 'the client is closed')
      if (handled.has(protocol) || libp2p.getProtocols().includes(protocol))
        throw new FootbridgeError('bad_request', `${protocol} is handled already`)
      if (handled.size >= MAX_PROTOCOLS) throw new FootbridgeError('bad_request', `at most ${MAX_PROTOCOLS} protocols`)
      handled.add(protocol)
      await libp2p.handle(protocol, (stream, { remotePeer }) => take({ peer: remotePeer.toString(), protocol, stream }, handler), {
        runOnLimitedConnection: true,
        maxInboundStreams,
      })
      return async () => {
        if (handled.delete(protocol)) await libp2p.unhandle(protocol)
      }
    },
    dropped(event) {
      if (event.type !== 'streamOpened') return
      const readers = unread.get(event.stream)
      if (readers === undefined) return
      if (readers > 1) unread.set(event.stream, readers - 1)
      else refuse(event.stream)
    },
  }
}

function checkProtocol(protocol: string): void {
  if (!protocol.startsWith('/') || protocol.length > MAX_PROTOCOL_LENGTH)
    throw new FootbridgeError('bad_request', `a protocol begins with / and has at most ${MAX_PROTOCOL_LENGTH} characters`)
}
