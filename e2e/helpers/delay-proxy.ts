/**
 * A TCP proxy that holds every byte back for a time in each direction: latency without netem, which not every kernel has.
 * It delays and keeps order; it neither loses nor limits.
 */
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net'

export interface DelayProxy {
  readonly port: number
  /** Bytes that went through since it began: up is from the client. */
  readonly bytes: { up: number; down: number }
  stop(): Promise<void>
}

/**
 * @param oneWayMs added in each direction, so a round trip gains twice that.
 * @param port where to listen; 0 lets the system choose.
 */
export async function startDelayProxy(targetPort: number, oneWayMs: number, port = 0): Promise<DelayProxy> {
  const sockets = new Set<Socket>()
  const bytes = { up: 0, down: 0 }
  const server = createServer((client) => {
    const target = createConnection({ port: targetPort, host: '127.0.0.1' })
    for (const socket of [client, target]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
    // A handshake costs a round trip on a real line; on the proxy it is free, so the first bytes up carry it.
    carry(client, target, oneWayMs * 3, oneWayMs, (count) => (bytes.up += count))
    carry(target, client, oneWayMs, oneWayMs, (count) => (bytes.down += count))
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    bytes,
    stop: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function carry(from: Socket, to: Socket, firstMs: number, laterMs: number, count: (bytes: number) => void): void {
  const queue: (() => void)[] = []
  let clearAt = performance.now() + firstMs
  // Each timer takes the head of the queue, not its own work: timers are rounded to milliseconds and might overtake each other.
  const later = (work: () => void): void => {
    if (laterMs === 0) return work()
    clearAt = Math.max(clearAt, performance.now() + laterMs)
    queue.push(work)
    setTimeout(() => queue.shift()?.(), clearAt - performance.now())
  }
  from.on('data', (chunk: Buffer) => {
    count(chunk.length)
    later(() => to.destroyed || to.write(chunk))
  })
  from.on('end', () => later(() => to.end()))
  from.on('close', () => later(() => to.destroy()))
}
