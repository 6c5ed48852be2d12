import { createServer, type Server } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { afterEach, expect, test, vi } from 'vitest'
import { createNode, type FootbridgeNode } from './create-node.ts'

const bridge = '12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf'
const ends: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function listen(server: Server | TcpServer): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => void server.close())
  return `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}/ws/p2p/${bridge}`
}

async function node(): Promise<FootbridgeNode> {
  const made = await createNode({ key: await generateKeyPair('Ed25519'), transports: [], listen: [], now: () => performance.now() })
  ends.push(() => made.libp2p.stop())
  return made
}

test('a dial that is called off takes its WebSocket with it', async () => {
  const sockets: Socket[] = []
  // It takes the connection and says nothing.
  const address = await listen(createTcpServer((socket) => sockets.push(socket.on('error', () => undefined))))
  ends.push(() => sockets.forEach((socket) => socket.destroy()))
  const device = await node()
  const closed = vi.fn()
  const failed = expect(device.dialBridge([address], AbortSignal.timeout(300))).rejects.toThrow()
  await vi.waitFor(() => expect(sockets).toHaveLength(1))
  sockets[0]?.on('close', closed).resume()
  await failed
  await vi.waitFor(() => expect(closed).toHaveBeenCalled())
})

test('a dial does not wait for one that hangs', async () => {
  const connected = vi.fn()
  const address = await listen(createTcpServer((socket) => void connected(socket.on('error', () => undefined).resume())))
  const device = await node()
  const end = new AbortController()
  const dials = [1, 2, 3].map(() => device.dialBridge([address], end.signal).catch(() => 'over'))
  await vi.waitFor(() => expect(connected).toHaveBeenCalledTimes(3))
  end.abort()
  expect(await Promise.all(dials)).toEqual(['over', 'over', 'over'])
})

test('a refused dial says so', async () => {
  const address = await listen(createServer((_, response) => response.end('not here')))
  const device = await node()
  await expect(device.dialBridge([address], AbortSignal.timeout(5_000))).rejects.toThrow()
})
