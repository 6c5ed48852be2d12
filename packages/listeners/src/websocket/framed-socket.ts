/**
 * A WebSocket after its opening handshake, from the server's side: bytes in, bytes out, ping and close (RFC 6455). Everything that arrives is a sign of life.
 * Not here: reading frames (frame-reader.ts), the handshake (upgraded-socket.ts), and what the bytes mean (websocket-connection.ts).
 */
import type { Duplex } from 'node:stream'
import { FrameError, FrameReader } from './frame-reader.ts'

export interface FramedSocketHandlers {
  /** Bytes in order; `headroom` bytes in front of the chunk may be overwritten. */
  data(chunk: Uint8Array, headroom: number): void
  /** The socket is gone. `code`: what the remote said; 1006: it said nothing and vanished (RFC 6455, 7.1.5). At most once. */
  closed(code: number): void
}

const FINAL = 0x80
const OPCODE = { binary: 2, close: 8, ping: 9, pong: 10 } as const
/** A pong that the remote does not take is not worth keeping. */
const MAX_WAITING_FOR_PONG_BYTES = 64 * 1024
/** How long a remote that broke the protocol has to read why. */
const LAST_WORDS_MS = 200

export class FramedSocket {
  readonly #socket: Duplex
  readonly #head: Buffer
  #handlers: FramedSocketHandlers | undefined
  #closeCode = 1006
  #isCloseSent = false
  #wasHeard = true

  /** @param head what the HTTP parser read beyond the handshake */
  constructor(socket: Duplex, head: Buffer) {
    this.#socket = socket
    this.#head = head
    // The close event that follows is what counts.
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#handlers?.closed(this.#closeCode)
    })
    // HTTP leaves its sockets half open.
    socket.on('end', () => {
      socket.end()
    })
  }

  /** Begins to read; nothing is lost before. Once. */
  start(handlers: FramedSocketHandlers): void {
    this.#handlers = handlers
    const reader = new FrameReader({
      data: (chunk, headroom) => handlers.data(chunk, headroom),
      ping: (payload) => {
        if (this.bufferedAmount < MAX_WAITING_FOR_PONG_BYTES) this.#write(OPCODE.pong, payload)
      },
      close: (code) => {
        this.#closeCode = code
        this.close(code === 1005 ? 1000 : code)
        this.#socket.end()
      },
    })
    const receive = (chunk: Buffer): void => {
      this.#wasHeard = true
      try {
        reader.receive(chunk)
      } catch (error) {
        this.#fail(error)
      }
    }
    if (this.#socket.destroyed) {
      queueMicrotask(() => {
        handlers.closed(this.#closeCode)
      })
      return
    }
    if (this.#head.length > 0) this.#socket.unshift(this.#head)
    this.#socket.on('data', receive)
  }

  /** Whether anything came since the last time that this was asked. */
  takeHeard(): boolean {
    const wasHeard = this.#wasHeard
    this.#wasHeard = false
    return wasHeard
  }

  /** Bytes that the kernel has not taken. */
  get bufferedAmount(): number {
    return this.#socket.writableLength
  }

  get isPaused(): boolean {
    return this.#socket.isPaused()
  }

  get isOpen(): boolean {
    return !this.#isCloseSent && !this.#socket.destroyed
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** One binary message. @param written called when the kernel took it, or with the error */
  send(bytes: Uint8Array, written: (error?: Error | null) => void): void {
    if (this.#isCloseSent) written(new Error('the WebSocket is closing'))
    else this.#write(OPCODE.binary, bytes, written)
  }

  ping(): void {
    if (this.isOpen) this.#write(OPCODE.ping, Buffer.alloc(0))
  }

  /** Says goodbye, once; the remote answers and the socket closes. Nothing can be sent any more. @param reason at most 123 bytes of UTF-8 */
  close(code: number, reason = ''): void {
    if (!this.isOpen) return
    const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
    payload.writeUInt16BE(code)
    payload.write(reason, 2)
    this.#write(OPCODE.close, payload)
    this.#isCloseSent = true
  }

  terminate(): void {
    this.#socket.destroy()
  }

  #fail(error: unknown): void {
    this.#socket.removeAllListeners('data')
    if (error instanceof FrameError) this.close(error.code, error.message)
    this.#socket.resume()
    this.#socket.end()
    setTimeout(() => {
      this.#socket.destroy()
    }, LAST_WORDS_MS).unref()
  }

  #write(opcode: number, payload: Uint8Array, written?: (error?: Error | null) => void): void {
    this.#socket.cork()
    this.#socket.write(frameHeader(opcode, payload.length))
    this.#socket.write(payload, written)
    this.#socket.uncork()
  }
}

/** A server's frames are not masked. */
function frameHeader(opcode: number, length: number): Buffer {
  const bytes = length < 126 ? 2 : length < 65_536 ? 4 : 10
  const header = Buffer.allocUnsafe(bytes)
  header[0] = FINAL | opcode
  header[1] = bytes === 2 ? length : bytes === 4 ? 126 : 127
  if (bytes === 4) header.writeUInt16BE(length, 2)
  if (bytes === 10) header.writeBigUInt64BE(BigInt(length), 2)
  return header
}
