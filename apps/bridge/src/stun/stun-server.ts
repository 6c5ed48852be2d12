/**
 * The bridge's own STUN: tells a browser under which address the network sees it, on UDP ports with the numbers of the bridge's TCP ports. Two of them, because two
 * answers tell the kind of NAT in between. Binding requests only; what is unsound, unasked or unpaid gets no answer at all.
 *
 * A datagram comes from a socket of this server's own (`listen`) or from a port that another protocol holds (`receive`), as WebTransport's.
 * Next: message.ts for the bytes, allowance.ts for who gets an answer, ../ice-servers.ts for how browsers are told.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import type { Allowance } from './allowance.ts'
import { encodeMappedAddress, encodeUnknownAttributes, isStun, parseBinding } from './message.ts'

export type Reply = (answer: Uint8Array) => void

export interface StunServer {
  /** @returns false when it is not STUN and for somebody else. */
  receive(datagram: Uint8Array, from: Source, reply: Reply): boolean
  /** @returns the port. @throws Node's error when it cannot be had. */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>
  readonly counters: { readonly received: number; readonly answered: number }
  /** Idempotent. */
  stop(): Promise<void>
}

type Source = Pick<RemoteInfo, 'address' | 'port'>

/** Bytes that may wait in a socket; more are dropped, as a full network would. */
const MAX_QUEUED_BYTES = 256_000

export function createStunServer({ allowance }: { readonly allowance: Allowance }): StunServer {
  const sockets = new Set<Socket>()
  const counters = { received: 0, answered: 0 }

  const receive = (datagram: Uint8Array, from: Source, reply: Reply): boolean => {
    if (!isStun(datagram)) return false
    counters.received++
    if (from.port === 0 || !allowance.receive(from.address, datagram.length)) return true
    const message = parseBinding(datagram)
    if (message?.kind !== 'request') return true
    const answer = message.unknown.length > 0 ? encodeUnknownAttributes(message, message.unknown) : encodeMappedAddress(message, from)
    if (!allowance.spend(from.address, answer.length)) return true
    counters.answered++
    reply(answer)
    return true
  }

  return {
    receive,
    async listen({ host, port }) {
      const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', lookup: numericLookup })
      try {
        await new Promise<void>((resolve, reject) => {
          socket.once('error', reject)
          socket.bind({ port, address: host, exclusive: true }, () => {
            socket.off('error', reject)
            resolve()
          })
        })
      } catch (error) {
        socket.close()
        throw error
      }
      // An answer that cannot be sent is a lost packet.
      socket.on('error', () => {})
      socket.on('message', (datagram, from) => {
        receive(datagram, from, (answer) => {
          if (socket.getSendQueueSize() < MAX_QUEUED_BYTES) socket.send(answer, from.port, from.address, () => {})
        })
      })
      sockets.add(socket)
      return socket.address().port
    },
    get counters() {
      return { ...counters }
    },
    async stop() {
      const closing = [...sockets]
      sockets.clear()
      await Promise.all(closing.map((socket) => new Promise<void>((resolve) => socket.close(resolve))))
    },
  }
}

/** Addresses here are numbers already; Node's own lookup costs a turn of the event loop for each packet. */
function numericLookup(address: string, _options: unknown, found: (error: null, address: string, family: number) => void): void {
  found(null, address, address.includes(':') ? 6 : 4)
}
