/**
 * Files of universal-connectivity, `/universal-connectivity-file/1`. A peer says on the topic of files that it has one: the whole data of that gossip
 * message is the file's id as UTF-8 (a UUID by custom). Whoever wants the file opens a stream to the sender of the message:
 *
 *     asker                          peer that has it
 *       │ uvarint length, id ───────────►│
 *       │◄──── uvarint length, contents  │   then both close
 *
 * Nothing else is told: no name, no type, and no word for "I do not have it"; we reset the stream then. An empty file cannot be told from a failure by
 * their Rust peer. Their JavaScript peers read at most 4 MiB in one frame, their Rust peer 500 MB; it is why what is offered here is small.
 * Both ends are streamed: a file is never whole in memory here.
 */
import type { Stream } from '@libp2p/interface'
import { byteStream } from '@libp2p/utils'
import { FootbridgeError } from '@footbridge/shared/errors'
import { utf8Encode } from '@footbridge/shared/text-codec'
import { Uint8ArrayList } from 'uint8arraylist'
import { withDeadline } from '../deadline.ts'
import { frameStream } from '../frame-stream.ts'

export const UC_FILE_PROTOCOL = '/universal-connectivity-file/1'

/** A UUID has 36. */
export const MAX_FILE_ID_BYTES = 256
/** What every one of their peers can take. */
export const MAX_OFFERED_FILE_BYTES = 4 * 1024 * 1024
/** What is fetched at most: a person asks for it not knowing how large it is. */
export const MAX_FETCHED_FILE_BYTES = 64 * 1024 * 1024
/** Files that one connection may fetch from us at a time. */
export const MAX_FILE_STREAMS_PER_CONNECTION = 4

const REQUEST_TIMEOUT_MS = 10_000
const OPEN_TIMEOUT_MS = 15_000
/** Between two parts of a file. */
const PART_TIMEOUT_MS = 30_000
const PART_BYTES = 64 * 1024
/** The window of a yamux stream as it grows; a reader that keeps up holds far less. */
const MAX_BUFFER_BYTES = 16 * 1024 * 1024 + PART_BYTES
/** Enough for lengths up to 2^35. */
const MAX_LENGTH_BYTES = 5

export interface ServedFile {
  readonly size: number
  /** From `start` to before `end`. */
  read(start: number, end: number): Promise<Uint8Array>
}

export interface FetchParts {
  readonly maxBytes: number
  /** Called with the size before the first part, then with each part in order; waited for. */
  readonly onSize: (bytes: number) => void
  readonly onPart: (part: Uint8Array) => Promise<void> | void
  readonly signal?: AbortSignal | undefined
}

/** An id as it stands in a gossip message or a request. @throws FootbridgeError `protocol_violation` */
export function decodeFileId(bytes: Uint8Array): string {
  if (bytes.length === 0 || bytes.length > MAX_FILE_ID_BYTES)
    throw new FootbridgeError('protocol_violation', 'a file id of no sensible length')
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new FootbridgeError('protocol_violation', 'a file id that is not UTF-8', { cause })
  }
}

/** Asks for one file. Ends the stream whatever happens. @throws FootbridgeError `too_large`, `peer_unreachable`, `timeout`, `aborted`, `protocol_violation` */
export async function fetchFile(stream: Stream, id: string, { maxBytes, onSize, onPart, signal }: FetchParts): Promise<void> {
  const bytes = byteStream(stream, { maxBufferSize: MAX_BUFFER_BYTES })
  const next = <Result>(work: (inner: AbortSignal) => Promise<Result>): Promise<Result> =>
    withDeadline({ timeoutMs: PART_TIMEOUT_MS, what: 'the next part of the file', signal }, work)

  const readLength = async (): Promise<number> => {
    let length = 0
    for (let index = 0; index < MAX_LENGTH_BYTES; index++) {
      const byte = (await next((inner) => bytes.read({ bytes: 1, signal: inner }))).get(0)
      length += (byte & 0x7f) * 2 ** (7 * index)
      if (byte < 0x80) return length
    }
    throw new FootbridgeError('protocol_violation', 'a length without an end')
  }

  try {
    const name = utf8Encode(id)
    await withDeadline({ timeoutMs: REQUEST_TIMEOUT_MS, what: 'asking for the file', signal }, (inner) =>
      bytes.write(new Uint8ArrayList(encodeLength(name.length), name), { signal: inner }),
    )
    const size = await readLength()
    if (size > maxBytes) throw new FootbridgeError('too_large', `a file of ${size} bytes is over the limit of ${maxBytes}`)
    onSize(size)
    for (let left = size; left > 0;) {
      const part = await next((inner) => bytes.read({ signal: inner }))
      if (part === null) throw new FootbridgeError('peer_unreachable', 'the file ended early')
      const own = part.subarray(0, Math.min(left, part.byteLength))
      left -= own.length
      await onPart(own)
    }
    await next((inner) => stream.close({ signal: inner }))
  } catch (cause) {
    const error = cause instanceof FootbridgeError ? cause : new FootbridgeError('peer_unreachable', 'the file did not come', { cause })
    stream.abort(error)
    throw error
  }
}

/** Serves one file. Never throws: a broken or hostile stream is reset, and the reason is given back. @param open undefined: there is no such file. */
export async function serveFile(
  stream: Stream,
  open: (id: string) => Promise<ServedFile | undefined>,
  signal?: AbortSignal,
): Promise<FootbridgeError | undefined> {
  try {
    const frames = frameStream(stream, { maxFrameBytes: MAX_FILE_ID_BYTES })
    const asked = await withDeadline({ timeoutMs: REQUEST_TIMEOUT_MS, what: 'the id of the file', signal }, (inner) => frames.read(inner))
    if (asked === undefined) throw new FootbridgeError('protocol_violation', 'the stream ended before there was an id')
    const id = decodeFileId(asked)
    const file = await withDeadline({ timeoutMs: OPEN_TIMEOUT_MS, what: 'opening the file', signal }, () => open(id))
    if (file === undefined) throw new FootbridgeError('not_found', 'there is no such file')
    await writeFile(stream, file, signal)
    return undefined
  } catch (cause) {
    const error = cause instanceof FootbridgeError ? cause : new FootbridgeError('internal', 'the file could not be served', { cause })
    stream.abort(error)
    return error
  }
}

async function writeFile(stream: Stream, file: ServedFile, signal: AbortSignal | undefined): Promise<void> {
  const bytes = byteStream(stream)
  const write = (part: Uint8Array): Promise<void> =>
    withDeadline({ timeoutMs: PART_TIMEOUT_MS, what: 'sending the file', signal }, (inner) => bytes.write(part, { signal: inner }))
  await write(encodeLength(file.size))
  for (let start = 0; start < file.size; start += PART_BYTES) {
    const part = await withDeadline({ timeoutMs: PART_TIMEOUT_MS, what: 'reading the file', signal }, () =>
      file.read(start, Math.min(file.size, start + PART_BYTES)),
    )
    await write(part)
  }
  await withDeadline({ timeoutMs: PART_TIMEOUT_MS, what: 'closing the stream', signal }, (inner) => stream.close({ signal: inner }))
}

function encodeLength(length: number): Uint8Array {
  const bytes: number[] = []
  let rest = length
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  bytes.push(rest)
  return Uint8Array.from(bytes)
}
