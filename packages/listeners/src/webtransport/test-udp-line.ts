/**
 * For tests and benches: a line for UDP packets, with latency and loss, and with a network address translation that can forget its mappings. Keeps order.
 */
import { createSocket, type Socket } from 'node:dgram'
import type { AddressInfo } from 'node:net'

export interface UdpLine {
  readonly port: number
  /** Packets that came, both ways, and those of them that were lost. */
  readonly packets: { readonly carried: number; readonly lost: number }
  /** From now on the target sees other source ports. */
  rebind(): void
  stop(): Promise<void>
}

export interface UdpLineOptions {
  readonly targetPort: number
  /** Added in each direction. */
  readonly oneWayMs?: number
  /** Share of packets that are lost in each direction, from 0 to 1. */
  readonly loss?: number
  readonly random?: () => number
}

const HOST = '127.0.0.1'
const BUFFER_BYTES = 4_000_000

export async function startUdpLine({ targetPort, oneWayMs = 0, loss = 0, random = Math.random }: UdpLineOptions): Promise<UdpLine> {
  const packets = { carried: 0, lost: 0 }
  const far = new Map<string, Socket>()
  const near = await bound()
  let isStopped = false

  const later = (): ((work: () => void) => void) => {
    const queue: (() => void)[] = []
    return (work) => {
      packets.carried++
      if (random() < loss) return void packets.lost++
      if (oneWayMs === 0) return work()
      queue.push(work)
      // Each timer takes the head, not its own: timers are rounded and might overtake each other.
      setTimeout(() => queue.shift()?.(), oneWayMs).unref()
    }
  }
  const [up, down] = [later(), later()]

  const open = (client: { address: string; port: number }): Socket => {
    const socket = createSocket('udp4')
    socket.on('error', () => {})
    socket.on('message', (packet) => down(() => isStopped || near.send(packet, client.port, client.address)))
    socket.bind(0, HOST, () => {
      socket.setRecvBufferSize(BUFFER_BYTES)
      socket.setSendBufferSize(BUFFER_BYTES)
    })
    return socket
  }
  near.on('message', (packet, client) =>
    up(() => {
      if (isStopped) return
      const id = `${client.address} ${client.port}`
      const socket = far.get(id) ?? open(client)
      far.set(id, socket)
      socket.send(packet, targetPort, HOST)
    }),
  )

  return {
    port: (near.address() as AddressInfo).port,
    packets,
    rebind() {
      for (const socket of far.values()) socket.close()
      far.clear()
    },
    async stop() {
      isStopped = true
      for (const socket of far.values()) socket.close()
      await new Promise<void>((resolve) => near.close(resolve))
    },
  }
}

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4')
  await new Promise<void>((resolve) => socket.bind(0, HOST, resolve))
  socket.setRecvBufferSize(BUFFER_BYTES)
  socket.setSendBufferSize(BUFFER_BYTES)
  return socket
}
