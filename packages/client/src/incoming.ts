/**
 * Messages that others send us: stored, shown, and only then acknowledged by the stream's own code. Over whichever connection they opened.
 */
import type { Connection, Stream } from '@libp2p/interface'
import { receiveMessages } from '@footbridge/protocols/message/message-receiver'
import type { OutgoingFrame } from '@footbridge/protocols/message/message-sender'
import { FootbridgeError, isFootbridgeError } from '@footbridge/shared/errors'
import type { Message } from './api.ts'
import type { Kept } from './kept.ts'

/** Messages that one peer may have being stored at a time, over all its streams. */
const MAX_STORING_PER_PEER = 4

export function createIncoming(
  kept: Pick<Kept, 'conversations' | 'people' | 'log'>,
  stopping: AbortSignal,
): (stream: Stream, connection: Connection) => void {
  const { conversations, people, log } = kept
  const storing = new Map<string, number>()

  const store = async (peer: string, frame: OutgoingFrame): Promise<'stored' | 'full'> => {
    const busy = storing.get(peer) ?? 0
    if (busy >= MAX_STORING_PER_PEER) throw new FootbridgeError('rate_limited', 'too many messages at once')
    storing.set(peer, busy + 1)
    try {
      await conversations.receive(toMessage(peer, frame))
      return 'stored'
    } catch (error) {
      if (isFootbridgeError(error, 'storage_full')) return 'full'
      throw error
    } finally {
      const left = (storing.get(peer) ?? 1) - 1
      if (left === 0) storing.delete(peer)
      else storing.set(peer, left)
    }
  }

  const serve = async (stream: Stream, peer: string): Promise<void> => {
    const error = await receiveMessages(
      stream,
      {
        onProfile: ({ name, picture }) => void people.profile(peer, name, picture).catch(() => undefined),
        store: (frame) => store(peer, frame),
      },
      stopping,
    )
    if (error?.code === 'protocol_violation') log.warn(`${people.nameOf(peer)} sent something that is not a message`)
  }

  return (stream, connection) => void serve(stream, connection.remotePeer.toString())
}

function toMessage(peer: string, frame: OutgoingFrame): Message {
  const { id, at } = frame
  const shared = { id, peer, at, direction: 'in', status: 'delivered' } as const
  if (frame.type === 'text') return { ...shared, body: { kind: 'text', text: frame.text } }
  const { cid, name, size, media } = frame
  return { ...shared, body: { kind: 'file', file: { cid, name, size, media } } }
}
