/**
 * An abort that tells the other side why: its code and reason travel in the WebSocket's close frame before the socket is cut.
 * Codes 4000 to 4999 are for applications (RFC 6455 section 7.4.2); which there are is up to whoever aborts.
 */
export class WebSocketCloseError extends Error {
  override readonly name = 'WebSocketCloseError'
  readonly code: number

  /** @param reason at most 123 bytes of UTF-8, as the close frame has room for. */
  constructor(code: number, reason: string) {
    super(reason)
    this.code = code
  }
}
