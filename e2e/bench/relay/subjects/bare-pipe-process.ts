/**
 * Joins the sockets of `/connection/A/B/name` and `/connection/B/A/name`, as @localfirst/relay does, and passes messages on. What no relay on `ws`
 * can beat: no encryption, no multiplexing, no accounts. Started by bare-pipe.ts.
 */
import type { AddressInfo } from 'node:net'
import { WebSocketServer, type RawData, type WebSocket } from 'ws'

/** Above this a reader is slow, and its writer waits. */
const MAX_BUFFERED_BYTES = 256 * 1024

const waiting = new Map<string, WebSocket>()
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })

server.on('connection', (socket, request) => {
  socket.on('error', () => {})
  const [, , from = '', to = '', name = ''] = (request.url ?? '').split('/')
  const other = waiting.get(`${to}/${from}/${name}`)
  if (other === undefined) {
    const key = `${from}/${to}/${name}`
    waiting.set(key, socket)
    socket.once('close', () => waiting.delete(key))
    return
  }
  pass(socket, other)
  pass(other, socket)
})

function pass(from: WebSocket, to: WebSocket): void {
  from.on('message', (data: RawData, binary: boolean) => {
    to.send(data, { binary }, () => {
      if (from.isPaused && to.bufferedAmount <= MAX_BUFFERED_BYTES) from.resume()
    })
    if (to.bufferedAmount > MAX_BUFFERED_BYTES) from.pause()
  })
  from.once('close', () => to.close())
}

server.once('listening', () => process.send?.({ ready: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` }))
process.once('SIGTERM', () => process.exit(0))
