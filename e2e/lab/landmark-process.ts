/**
 * A server on the lab's internet that has nothing to do with the bridge: it tells whoever asks from which address they came, so that a network can be
 * checked before it is used. Arguments: its two addresses. Next: probe-process.ts, which asks.
 */
import { createSocket, type Socket } from 'node:dgram'
import { createServer } from 'node:net'
import { LANDMARK_TCP_PORTS, LANDMARK_UDP_PORT, type Answer, type Question } from './landmark.ts'

const own = process.argv.slice(2)
const sockets: Socket[] = []
for (const [index, address] of own.entries()) {
  const socket = createSocket('udp4')
  sockets.push(socket)
  socket.on('message', (text, from) => {
    const { number, fromOther } = JSON.parse(text.toString()) as Question
    const answer: Answer = { number, address: from.address, port: from.port }
    const speaker = fromOther ? sockets[1 - index] : socket
    speaker?.send(JSON.stringify(answer), from.port, from.address)
  })
  await new Promise<void>((resolve) => socket.bind(LANDMARK_UDP_PORT, address, resolve))
}
for (const port of LANDMARK_TCP_PORTS)
  await new Promise<void>((resolve) => {
    createServer((connection) => connection.on('error', () => {}).end('landmark')).listen(port, own[0], resolve)
  })
process.stdout.write('{"event":"ready"}\n')
