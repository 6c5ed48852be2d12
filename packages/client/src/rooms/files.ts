/**
 * Files of rooms: given to whoever asks for one that was offered here, and fetched from whoever offered one. What is fetched is kept like any other file.
 * The protocol tells neither name nor type: the first bytes say what they can (file-kind.ts).
 */
import type { Connection, Stream } from '@libp2p/interface'
import {
  fetchFile,
  MAX_FETCHED_FILE_BYTES,
  serveFile,
  UC_FILE_PROTOCOL,
  type ServedFile,
} from '@footbridge/protocols/uc-file/file-exchange'
import { FootbridgeError } from '@footbridge/shared/errors'
import type { FileOffer } from '../api.ts'
import type { Transfers } from '../blobs/transfers.ts'
import { fileKind } from './file-kind.ts'
import { MAX_FETCHES } from './limits.ts'
import type { KeptRooms } from './rooms.ts'
import type { RoomMessage } from './room.ts'

const OPEN_TIMEOUT_MS = 15_000
/** The speed shown is that of the last so many milliseconds. */
const SPEED_MS = 1_000

export interface RoomFilesParts {
  readonly rooms: KeptRooms
  readonly transfers: Transfers
  readonly connect: (peer: string, signal: AbortSignal) => Promise<Connection>
  readonly importFile: (room: string, file: File) => Promise<FileOffer>
  readonly steady: () => number
  readonly signal: AbortSignal
}

export interface RoomFiles {
  serve(stream: Stream): void
  /** Resolves once it is under way or done; how it goes is told by its transfer. */
  fetch(message: RoomMessage): Promise<void>
}

export function createRoomFiles({ rooms, transfers, connect, importFile, steady, signal }: RoomFilesParts): RoomFiles {
  const fetching = new Set<string>()

  const offered = async (id: string): Promise<ServedFile | undefined> => {
    for (const room of rooms.joined.get()) {
      const message = await rooms.message(room, id)
      if (message?.own !== true || message.body.kind !== 'file' || message.body.file.offer === undefined) continue
      const blob = await transfers.open(message.body.file.offer).catch(() => undefined)
      if (blob) return { size: blob.size, read: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()) }
    }
    return undefined
  }

  const bring = async (message: RoomMessage, id: string, transfer: string): Promise<Blob> => {
    const parts: Blob[] = []
    let bytesDone = 0
    const speed = createSpeed(steady)
    transfers.report(transfer, {
      state: 'fetching',
      bytesDone: 0,
      bytesTotal: 0,
      bytesPerSecond: 0,
      sources: [message.from],
      error: undefined,
    })
    const connection = await connect(message.from, signal)
    const stream = await connection.newStream(UC_FILE_PROTOCOL, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(OPEN_TIMEOUT_MS)]),
      runOnLimitedConnection: true,
    })
    await fetchFile(stream, id, {
      maxBytes: MAX_FETCHED_FILE_BYTES,
      signal,
      onSize: (bytesTotal) => transfers.report(transfer, { bytesTotal }),
      onPart(part) {
        // A blob each: the browser keeps those where it likes, not in the page's memory.
        parts.push(new Blob([part.slice()]))
        bytesDone += part.length
        const bytesPerSecond = speed(part.length)
        if (bytesPerSecond !== undefined) transfers.report(transfer, { bytesDone, bytesPerSecond })
      },
    })
    return new Blob(parts)
  }

  const keep = async (message: RoomMessage, id: string, transfer: string, blob: Blob): Promise<void> => {
    const kind = fileKind(new Uint8Array(await blob.slice(0, 16).arrayBuffer()))
    const name = `${id.slice(0, 8)}${kind.extension}`
    const offer = await importFile(message.room, new File([blob], name, { type: kind.media }))
    await rooms.change(message.room, message.id, { body: { kind: 'file', file: { id, transfer, offer } } })
    transfers.report(transfer, { state: 'complete', bytesDone: blob.size, bytesTotal: blob.size, bytesPerSecond: 0 })
  }

  return {
    serve: (stream) => void serveFile(stream, offered, signal),
    async fetch(message) {
      if (message.body.kind !== 'file') return
      const { id, transfer } = message.body.file
      if (fetching.has(transfer)) return
      if (fetching.size >= MAX_FETCHES) throw new FootbridgeError('rate_limited', `at most ${MAX_FETCHES} files of rooms at a time`)
      fetching.add(transfer)
      try {
        await keep(message, id, transfer, await bring(message, id, transfer))
      } catch (error) {
        const code = error instanceof FootbridgeError ? error.code : 'peer_unreachable'
        transfers.report(transfer, { state: 'failed', error: code, bytesPerSecond: 0 })
      } finally {
        fetching.delete(transfer)
      }
    },
  }
}

/** Bytes per second over the last while; undefined while nothing new is worth telling. */
function createSpeed(steady: () => number): (bytes: number) => number | undefined {
  let since = steady()
  let bytesSince = 0
  let told = 0
  return (bytes) => {
    bytesSince += bytes
    const ms = steady() - since
    if (ms < SPEED_MS / 4) return undefined
    told = told === 0 ? (bytesSince / ms) * 1000 : told * 0.5 + ((bytesSince / ms) * 1000) / 2
    since = steady()
    bytesSince = 0
    return told
  }
}
