/**
 * Direct messages of universal-connectivity, in and out, as messages of the conversations that are there: their peers do not speak our message protocol.
 * Loaded with the first of them. They carry no id: what came twice is kept twice.
 */
import type { Connection, Stream } from '@libp2p/interface'
import { MAX_MESSAGES_IN_FLIGHT, type MessageSender } from '@footbridge/protocols/message/message-sender'
import type { DirectMessageRequest, Metadata } from '@footbridge/protocols/uc-dm/direct-message'
import { UC_DIRECT_MESSAGE_PROTOCOL } from '@footbridge/protocols/uc-dm/protocol'
import { sendDirectMessage } from '@footbridge/protocols/uc-dm/direct-message-asker'
import { serveDirectMessage } from '@footbridge/protocols/uc-dm/direct-message-server'
import { FootbridgeError } from '@footbridge/shared/errors'
import { MAX_TEXT_LENGTH } from '@footbridge/shared/limits'
import type { Kept } from '../kept.ts'
import { MAX_DIRECT_AT_ONCE } from './limits.ts'

const CLIENT_VERSION = 'footbridge/0.1'
const OPEN_TIMEOUT_MS = 15_000
/** A sender's clock further off than this says nothing about when a message was written. */
const BELIEVABLE_MS = 24 * 60 * 60_000

type DirectKept = Pick<Kept, 'conversations' | 'people' | 'log' | 'now'>

/** Takes their messages on streams that they opened. */
export function createDirectIncoming({ conversations, people, log, now }: DirectKept, stopping: AbortSignal) {
  const keeping = new Map<string, number>()

  const keep = async (peer: string, { content, metadata }: DirectMessageRequest): Promise<void> => {
    if (content.length > MAX_TEXT_LENGTH) throw new FootbridgeError('bad_request', `a message has at most ${MAX_TEXT_LENGTH} characters`)
    const busy = keeping.get(peer) ?? 0
    if (busy >= MAX_DIRECT_AT_ONCE) throw new FootbridgeError('rate_limited', 'too many messages at once')
    keeping.set(peer, busy + 1)
    try {
      const at = believable(metadata?.timestamp, now())
      const body = { kind: 'text', text: content } as const
      await conversations.receive({ id: `uc-${crypto.randomUUID()}`, peer, at, direction: 'in', status: 'delivered', body })
    } finally {
      // As many as now, not as before: others may have come and gone meanwhile.
      const left = (keeping.get(peer) ?? 1) - 1
      if (left === 0) keeping.delete(peer)
      else keeping.set(peer, left)
    }
  }

  return (stream: Stream, connection: Connection): void => {
    const peer = connection.remotePeer.toString()
    void serveDirectMessage(stream, { metadata: () => metadataAt(now()), keep: (request) => keep(peer, request) }, stopping).then(
      (error) => {
        if (error?.code === 'protocol_violation') log.warn(`${people.nameOf(peer)} sent something that is no direct message`)
      },
    )
  }
}

/** The outbox's sender to a peer that speaks this instead of ours: a stream for each message, files refused. */
export function createDirectSender(connection: Connection): MessageSender {
  let open = true
  let inFlight = 0
  const closing = new AbortController()

  const end = (): void => {
    open = false
    closing.abort()
  }

  return {
    get open() {
      return open && connection.status === 'open'
    },
    get inFlight() {
      return inFlight
    },
    // Their protocol knows no profiles.
    profile: async () => undefined,
    async send(frame, onWritten) {
      if (frame.type === 'file') return { kind: 'refused', reason: 'malformed' }
      if (inFlight >= MAX_MESSAGES_IN_FLIGHT) throw new FootbridgeError('rate_limited', 'too many messages wait for their answer')
      inFlight++
      try {
        const stream = await connection.newStream(UC_DIRECT_MESSAGE_PROTOCOL, {
          signal: AbortSignal.any([closing.signal, AbortSignal.timeout(OPEN_TIMEOUT_MS)]),
          runOnLimitedConnection: true,
        })
        const answer = await sendDirectMessage(stream, frame.text, metadataAt(frame.at), onWritten, closing.signal)
        return answer.kind === 'delivered' ? answer : { kind: 'refused', reason: 'blocked' }
      } catch (error) {
        end()
        throw error instanceof FootbridgeError
          ? error
          : new FootbridgeError('peer_unreachable', 'the message could not be sent', { cause: error })
      } finally {
        inFlight--
      }
    },
    close: end,
  }
}

function metadataAt(timestamp: number): Metadata {
  return { clientVersion: CLIENT_VERSION, timestamp }
}

function believable(timestamp: number | undefined, now: number): number {
  return timestamp !== undefined && Math.abs(now - timestamp) < BELIEVABLE_MS ? Math.min(timestamp, now) : now
}
