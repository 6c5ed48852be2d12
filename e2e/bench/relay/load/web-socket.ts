/**
 * Load through a relay that joins two sockets by their paths: `/connection/<me>/<you>/<name>`, the form of @localfirst/relay. A waiting peer is a socket that
 * nobody has asked for yet.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket, WebSocketServer, type RawData } from 'ws'
import { count, type Driver, type Kind, type Line } from './driver.ts'

/** As much as the stock libp2p client leaves in a socket before it waits. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024

export function createWebSocketDriver(): Driver {
  const waiting = new Map<string, WebSocket>()
  let names = 0

  const connect = async (url: string): Promise<WebSocket> => {
    const socket = new WebSocket(url, { perMessageDeflate: false })
    await once(socket, 'open')
    socket.on('error', () => {})
    return socket
  }

  const wait = async (address: string, kind: Kind): Promise<string> => {
    const name = `${kind}-${names++}`
    const socket = await connect(`${address}/connection/receiver/sender/${name}`)
    socket.on('message', (data) => (kind === 'sink' ? count(sizeOf(data)) : socket.send(data)))
    socket.once('close', () => waiting.delete(name))
    waiting.set(name, socket)
    return name
  }

  return {
    listen: ({ address }, wanted) => Promise.all(Array.from({ length: wanted }, () => wait(address, 'sink'))),
    async unlisten(ended) {
      await Promise.all(
        ended.map(async (name) => {
          const socket = waiting.get(name)
          if (socket === undefined) return
          const closed = once(socket, 'close')
          socket.close()
          await closed
        }),
      )
    },
    // One socket carries one circuit, so each offer is a new one.
    offer: ({ address }, wanted, kind) => Promise.all(wanted.map(() => wait(address, kind))),
    async listenDirect() {
      const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
      server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)))
      await once(server, 'listening')
      return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
    },
    open: async ({ address }, target) => toLine(await connect(`${address}/connection/sender/receiver/${target}`)),
    openDirect: async (address) => toLine(await connect(address)),
  }
}

function toLine(socket: WebSocket): Line {
  let wake = (): void => {}
  let heard = (_bytes: number): void => {}
  socket.on('message', (data) => heard(sizeOf(data)))
  return {
    send(bytes) {
      socket.send(bytes, () => wake())
      return socket.bufferedAmount < MAX_BUFFERED_BYTES
    },
    drained: () =>
      new Promise((resolve, reject) => {
        if (socket.readyState !== WebSocket.OPEN) return reject(new Error('the socket closed while there was more to send'))
        wake = () => {
          if (socket.bufferedAmount < MAX_BUFFERED_BYTES) resolve()
        }
        wake()
      }),
    onData: (listener) => (heard = listener),
    async close() {
      if (socket.readyState === WebSocket.CLOSED) return
      const closed = once(socket, 'close')
      socket.close()
      await closed
    },
  }
}

function sizeOf(data: RawData): number {
  return Array.isArray(data) ? data.reduce((sum, { byteLength }) => sum + byteLength, 0) : data.byteLength
}
