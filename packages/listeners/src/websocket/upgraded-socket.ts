/**
 * The class that ws's server makes of a request that it has upgraded: the opening handshake stays ws's, the framing is ours (framed-socket.ts).
 *
 *     new WebSocketServer({ noServer: true, WebSocket: UpgradedSocket })
 *
 * `setSocket` is what ws calls with the upgraded socket; it is not in ws's documents. websocket-listener.test.ts fails when it is called otherwise.
 */
import type { Duplex } from 'node:stream'
import { WebSocket } from 'ws'
import { FramedSocket } from './framed-socket.ts'

export class UpgradedSocket extends WebSocket {
  #framed: FramedSocket | undefined

  setSocket(socket: Duplex, head: Buffer): void {
    if ('setTimeout' in socket && typeof socket.setTimeout === 'function') socket.setTimeout(0)
    if ('setNoDelay' in socket && typeof socket.setNoDelay === 'function') socket.setNoDelay()
    this.#framed = new FramedSocket(socket, head)
  }

  /** @throws TypeError when ws did not hand over a socket */
  get framed(): FramedSocket {
    if (this.#framed === undefined) throw new TypeError('ws has changed: it handed over no socket')
    return this.#framed
  }
}
