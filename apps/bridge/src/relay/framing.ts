/**
 * Relay messages on a stream: a varint length of at most two bytes, then at most MAX_RELAY_MESSAGE_BYTES.
 * Why not lpStream: it reads a length of any number of bytes, one read each, until the deadline.
 */
import { FootbridgeError } from '@footbridge/shared/errors'
import type { ByteStream } from '@libp2p/utils'
import type { Stream } from '@libp2p/interface'
import { MAX_RELAY_MESSAGE_BYTES } from './wire.ts'

/** @throws FootbridgeError `protocol_violation`, or what the stream throws when it ends or the signal aborts. */
export async function readMessage(bytes: ByteStream<Stream>, signal: AbortSignal): Promise<Uint8Array> {
  const low = (await bytes.read({ bytes: 1, signal })).get(0)
  const high = low < 0x80 ? 0 : (await bytes.read({ bytes: 1, signal })).get(0)
  const length = (low & 0x7f) | (high << 7)
  if (high >= 0x80 || length > MAX_RELAY_MESSAGE_BYTES)
    throw new FootbridgeError('protocol_violation', 'the message is longer than a relay message may be')
  return length === 0 ? new Uint8Array() : (await bytes.read({ bytes: length, signal })).subarray()
}

/** @param message at most MAX_RELAY_MESSAGE_BYTES, as all of ours are. */
export function frameMessage(message: Uint8Array): Uint8Array {
  const { length } = message
  const prefix = length < 0x80 ? [length] : [(length & 0x7f) | 0x80, length >> 7]
  const bytes = new Uint8Array(prefix.length + length)
  bytes.set(prefix)
  bytes.set(message, prefix.length)
  return bytes
}
