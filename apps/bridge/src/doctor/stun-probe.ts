/**
 * Asks a STUN server once, and again as RFC 8489 has it when there is no answer. The request is as long as its answer, so ours answers at once.
 */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { encodeBindingRequest, parseBinding, type Endpoint } from '../stun/message.ts'

const RETRY_MS = 500
const TRIES = 6

/** @returns the address that the server saw. @throws when there is no sound answer. */
export async function askStun(host: string, port: number): Promise<Endpoint> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  const id = randomBytes(12)
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise<Endpoint>((resolve, reject) => {
      socket.once('error', reject)
      socket.on('message', (packet) => {
        const answer = parseBinding(packet)
        if (answer?.mapped !== undefined && Buffer.from(answer.transactionId).equals(id)) resolve(answer.mapped)
      })
      let tries = 0
      const send = (): void => {
        if (tries++ === TRIES) return reject(new Error('no answer'))
        socket.send(encodeBindingRequest(id, 'footbridge doctor'), port, host, (failure) => {
          if (failure) reject(failure)
        })
        timer = setTimeout(send, RETRY_MS)
      }
      send()
    })
  } finally {
    clearTimeout(timer)
    socket.close()
  }
}
