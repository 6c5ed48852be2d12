/**
 * A libp2p stream that a relay can use without libp2p's events: bytes from hand to hand, with a window that opens when the relay says so.
 * Muxers that can do better than events offer it beside the ordinary stream; yamux/yamux-stream.ts does.
 */
import type { Stream } from '@libp2p/interface'
import type { LinkReader } from './byte-link.ts'

export interface DirectStream extends Stream {
  /**
   * From now on what arrives goes to `reader`, also while it is more than can be passed on: `credit` is what lets the remote send more, and at most one
   * window arrives without it. Half-close and reset stay events ('remoteCloseWrite', 'close').
   */
  divert(reader: LinkReader): void
  /** So many bytes that `divert` gave are gone: the remote may send as many more. */
  credit(bytes: number): void
  /**
   * Sends, or keeps until the remote's window and the connection allow; `headroom` bytes in front may be overwritten. Never refuses: whoever calls bounds what
   * waits by giving no credit for it.
   */
  forward(bytes: Uint8Array, headroom: number): void
  /** Told how many bytes of `forward` have gone to the connection. Set once. */
  onForwarded: ((bytes: number) => void) | undefined
}

export function isDirectStream(stream: Stream): stream is DirectStream {
  return 'divert' in stream && 'forward' in stream
}
