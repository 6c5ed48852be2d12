/**
 * Frames for a libp2p stream that are sent without waiting: whoever sends to many readers must not be held up by one.
 * Not here: what to do with a full stream; presence and control each decide.
 */
import type { Stream } from '@libp2p/interface'
import { encodeJsonFrame } from '@footbridge/shared/wire/json-frame'

/** @returns false when the stream is full. @throws when it is closed. */
export function sendJsonFrame(stream: Stream, frame: unknown): boolean {
  return stream.send(prefixed(encodeJsonFrame(frame)))
}

/** With its length (unsigned varint) before it. */
export function prefixed(body: Uint8Array): Uint8Array {
  const prefix: number[] = []
  for (let rest = body.length; ; rest >>= 7) {
    if (rest < 0x80) {
      prefix.push(rest)
      break
    }
    prefix.push((rest & 0x7f) | 0x80)
  }
  return Buffer.concat([Uint8Array.from(prefix), body])
}
