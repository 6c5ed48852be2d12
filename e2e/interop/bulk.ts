/**
 * Bytes in bulk, hashed at both ends, over the test protocol of README.md, for libp2p streams in a page and in Node. A reader waits before it reads, so
 * that who sends must wait as well; what is not read stays with the sender, because the stream is paused.
 */
import type { Stream } from '@libp2p/interface'
import { sha256 } from '@noble/hashes/sha2.js'
import { Uint8ArrayList } from 'uint8arraylist'

export const BULK_PROTOCOL = '/footbridge-interop/bulk/1'
const HEADER_BYTES = 20
const HASH_BYTES = 32
const CHUNK_BYTES = 64 * 1024
const CLOSE_MS = 1_000

export interface BulkOrder {
  readonly up: number
  readonly down: number
  /** How long each side waits before it reads. */
  readonly pauseMs: number
}

export interface BulkResult extends BulkOrder {
  readonly upMs: number
  readonly downMs: number
  /** Bytes that were taken from the sender while the other side did not read. */
  readonly takenUnread: number
}

/** The side that did not open the stream. */
export async function answerBulk(stream: Stream): Promise<void> {
  const reader = createReader(stream)
  try {
    // In Node it may lie within a larger buffer.
    const { buffer, byteOffset } = await reader.read(HEADER_BYTES)
    const header = new DataView(buffer, byteOffset, HEADER_BYTES)
    const [up, down] = [Number(header.getBigUint64(0)), Number(header.getBigUint64(8))]
    await reader.wait(header.getUint32(16))
    const received = await take(reader, up)
    await give(stream, down)
    await send(stream, received)
    await stream.close()
  } catch (error) {
    stream.abort(error instanceof Error ? error : new Error(String(error)))
  }
}

/** The side that opened it. */
export async function askBulk(stream: Stream, { up, down, pauseMs }: BulkOrder): Promise<BulkResult> {
  const reader = createReader(stream)
  const header = new DataView(new ArrayBuffer(HEADER_BYTES))
  header.setBigUint64(0, BigInt(up))
  header.setBigUint64(8, BigInt(down))
  header.setUint32(16, pauseMs)
  await send(stream, new Uint8Array(header.buffer))
  let [taken, takenUnread] = [0, 0]
  setTimeout(() => (takenUnread = taken), pauseMs * 0.9)
  let startedAt = performance.now()
  const sent = await give(stream, up, (bytes) => (taken += bytes))
  const upMs = Math.round(performance.now() - startedAt)
  await reader.wait(pauseMs)
  startedAt = performance.now()
  await take(reader, down)
  const downMs = Math.round(performance.now() - startedAt)
  if (!equal(await reader.read(HASH_BYTES), sent)) throw new Error('other bytes arrived than were sent')
  // Over WebRTC-direct rust-libp2p does not acknowledge the end, and libp2p would wait for that.
  await stream.close({ signal: AbortSignal.timeout(CLOSE_MS) }).catch((error: Error) => stream.abort(error))
  return { up, down, pauseMs, upMs, downMs, takenUnread }
}

/** Sends so many bytes and their hash. */
async function give(stream: Stream, count: number, onTaken: (bytes: number) => void = () => {}): Promise<Uint8Array> {
  const hash = sha256.create()
  for (let at = 0; at < count; at += CHUNK_BYTES) {
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, count - at))
    const add = (at / CHUNK_BYTES) * 13
    for (let index = 0; index < chunk.length; index++) chunk[index] = index * 7 + add
    hash.update(chunk)
    await send(stream, chunk)
    onTaken(chunk.length)
  }
  const digest = hash.digest()
  await send(stream, digest)
  return digest
}

/** Reads so many bytes and their hash, which must be the one of what came. */
async function take(reader: Reader, count: number): Promise<Uint8Array> {
  const hash = sha256.create()
  for (let left = count; left > 0;) {
    const chunk = await reader.read(Math.min(CHUNK_BYTES, left))
    hash.update(chunk)
    left -= chunk.length
  }
  const told = await reader.read(HASH_BYTES)
  if (!equal(told, hash.digest())) throw new Error('other bytes arrived than were sent')
  return told
}

/** By the event: onDrain() of @libp2p/utils 7 has been kept since its first time, and lets every later writer through at once. */
async function send(stream: Stream, bytes: Uint8Array): Promise<void> {
  if (stream.send(bytes)) return
  await new Promise<void>((resolve, reject) => {
    const settle = (end: () => void) => (): void => {
      stream.removeEventListener('drain', drained)
      stream.removeEventListener('close', closed)
      end()
    }
    const drained = settle(resolve)
    const closed = settle(() => reject(new Error('the stream was closed while its writer waited')))
    stream.addEventListener('drain', drained)
    stream.addEventListener('close', closed)
    if (stream.status !== 'open') closed()
  })
}

interface Reader {
  /** Exactly so many bytes. @throws when the stream ends before. */
  read(bytes: number): Promise<Uint8Array>
  /** Leaves everything with the sender for so long. Only early: stock yamux lets its window grow past what a paused stream may hold. */
  wait(ms: number): Promise<void>
}

function createReader(stream: Stream): Reader {
  const held = new Uint8ArrayList()
  let wake = (): void => {}
  let ended = false
  stream.addEventListener('message', ({ data }) => {
    held.append(data)
    wake()
  })
  const end = (): void => {
    ended = true
    wake()
  }
  stream.addEventListener('remoteCloseWrite', end)
  stream.addEventListener('close', end)
  return {
    async read(bytes) {
      while (held.byteLength < bytes) {
        if (ended) throw new Error(`the stream ended ${bytes - held.byteLength} bytes early`)
        await new Promise<void>((resolve) => (wake = resolve))
      }
      const read = held.slice(0, bytes)
      held.consume(bytes)
      return read
    },
    async wait(ms) {
      if (ms === 0) return
      stream.pause()
      await delay(ms)
      stream.resume()
    },
  }
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, index) => byte === b[index])
const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
