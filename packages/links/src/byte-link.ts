/**
 * Bytes in order between two layers of one connection (socket, noise, yamux), without what libp2p's message streams cost for each message: events, lists
 * of buffers, copies. A layer that has this interface beside the ordinary one is read and written through it; others are adapted.
 * Closing, aborting, pausing and 'drain' stay those of the ordinary stream.
 */
import type { MessageStream } from '@libp2p/interface'
import { Uint8ArrayList } from 'uint8arraylist'

export interface ByteLink {
  /** Takes over reading, once and for good; what has arrived before is given at once. Nothing is dispatched as 'message' afterwards. */
  attach(reader: LinkReader): void
  /**
   * Sends the pieces in order. The memory belongs to the link from now on.
   * @param gone told of each piece whose memory the link does not need any more, where it can say so
   * @returns false when the link is full: everything was taken, but wait for 'drain' before more.
   */
  write(pieces: readonly Uint8Array[], gone?: (piece: Uint8Array) => void): boolean
}

/**
 * The chunk belongs to the reader, who may overwrite it and `headroom` bytes in front of it (a header can be put there without a copy).
 * It may be part of a larger buffer: whoever keeps a small chunk for long copies it.
 */
export type LinkReader = (chunk: Uint8Array, headroom: number) => void

/** The stream's own byte link, or one made from its events. */
export function byteLinkOf(stream: MessageStream): ByteLink {
  return isByteLink(stream) ? stream : adapt(stream)
}

function isByteLink(stream: MessageStream | (MessageStream & ByteLink)): stream is MessageStream & ByteLink {
  return 'attach' in stream && 'write' in stream
}

function adapt(stream: MessageStream): ByteLink {
  return {
    attach(reader) {
      stream.addEventListener('message', ({ data }) => {
        if (data instanceof Uint8Array) reader(data, 0)
        else for (const chunk of data) reader(chunk, 0)
      })
    },
    write(pieces) {
      // One by one: a turn may have more pieces than a call may have arguments.
      const list = new Uint8ArrayList()
      for (const piece of pieces) list.append(piece)
      return stream.send(list)
    },
  }
}
