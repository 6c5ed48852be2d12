/**
 * A proxy that takes every request to upgrade and never says another word, as some firewalls do; plain requests pass. UDP is swallowed by `swallowUdp`: what a
 * port answers does not arrive.
 */
import { execFileSync } from 'node:child_process'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'

export interface SwallowingProxy {
  readonly origin: string
  readonly port: number
  /** Upgrades that were swallowed. */
  readonly swallowed: () => number
  /** WebSockets that are open through it. */
  readonly passed: () => number
  /** From now on upgrades pass, or no longer. */
  letUpgradesPass(does: boolean): void
  /** Ends what is open, as a router that restarts. */
  cut(): void
  stop(): Promise<void>
}

export async function startSwallowingProxy(port: number, targetPort: number): Promise<SwallowingProxy> {
  const sockets = new Set<Socket>()
  let swallowed = 0
  let passed = 0
  let doesPass = false

  const server = createServer((incoming: IncomingMessage, response: ServerResponse) => {
    const { method, url: path, headers } = incoming
    const outgoing = request({ host: '127.0.0.1', port: targetPort, method, path, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      response.flushHeaders()
      answer.pipe(response)
    })
    outgoing.on('error', () => response.destroy())
    response.on('close', () => outgoing.destroy())
    incoming.pipe(outgoing)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
    if (!doesPass) {
      swallowed++
      return
    }
    passed++
    const onward = connect(targetPort, '127.0.0.1', () => {
      const lines = incoming.rawHeaders.flatMap((name, index, all) => (index % 2 === 0 ? [`${name}: ${all[index + 1] ?? ''}`] : []))
      onward.write(`${incoming.method ?? 'GET'} ${incoming.url ?? '/'} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
      onward.write(head)
      onward.pipe(socket)
      socket.pipe(onward)
    })
    sockets.add(onward)
    onward.on('error', () => socket.destroy())
    onward.on('close', () => {
      sockets.delete(onward)
      socket.destroy()
      passed--
    })
    socket.on('close', () => onward.destroy())
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))

  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const bound = (server.address() as AddressInfo).port
  return {
    origin: `http://localhost:${bound}`,
    port: bound,
    swallowed: () => swallowed,
    passed: () => passed,
    letUpgradesPass(does) {
      doesPass = does
    },
    cut,
    async stop() {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Needs a network namespace of our own (namespace.ts). @returns lets it through again; idempotent. */
export function swallowUdp(port: number): () => void {
  const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' })
  // The machine's own addresses are looked up before all else; here after what is swallowed.
  if (ip('rule').startsWith('0:')) {
    ip('rule', 'add', 'pref', '10', 'lookup', 'local')
    ip('rule', 'del', 'pref', '0')
  }
  const rule = ['pref', '5', 'ipproto', 'udp', 'sport', String(port), 'blackhole']
  ip('rule', 'add', ...rule)
  let isOver = false
  return () => {
    if (isOver) return
    isOver = true
    ip('rule', 'del', ...rule)
  }
}
