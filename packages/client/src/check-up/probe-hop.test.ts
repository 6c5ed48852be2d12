import { createHash } from 'node:crypto'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { noise } from '@libp2p/noise'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { createLibp2p, type Libp2p } from 'libp2p'
import { afterEach, expect, test, vi } from 'vitest'
import type { Check, HopFigures, HopReason } from './facts.ts'
import { dialHop } from './hop-dial.ts'
import { probeHop } from './probe-hop.ts'

const ends: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function stockPeer(): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
    transports: [webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  })
  ends.push(() => node.stop())
  return node
}

async function listen(server: Pick<Server, 'listen' | 'address' | 'close'>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => void server.close())
  return `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}/ws`
}

const probe = (address: string, signal: AbortSignal = AbortSignal.timeout(20_000)): Promise<Check<HopFigures, HopReason>> =>
  probeHop({ kind: 'websocket', addresses: [address], accessToken: undefined, dial: dialHop, steady: () => performance.now(), signal })

test('a WebSocket to a stock peer works, has its times, and leaves no connection there', async () => {
  const peer = await stockPeer()
  const opened = vi.fn()
  peer.addEventListener('connection:open', opened)
  const [address] = peer.getMultiaddrs()
  const found = await probe(String(address))
  expect(found).toMatchObject({ state: 'works', figures: { address: String(address) } })
  if (found.state !== 'works') throw new Error('unreachable')
  const { connectMs, proveMs, rttMs } = found.figures
  expect([connectMs, proveMs, rttMs].every((ms) => ms > 0)).toBe(true)
  expect(opened).not.toHaveBeenCalled()
  expect(peer.getConnections()).toEqual([])
})

test('somebody else at the address is told from the bridge', async () => {
  const peer = await stockPeer()
  const other = peerIdFromPrivateKey(await generateKeyPair('Ed25519'))
  const address = String(peer.getMultiaddrs()[0]).replace(/\/p2p\/.*/, `/p2p/${other.toString()}`)
  expect(await probe(address)).toMatchObject({ state: 'broken', reason: 'other_peer' })
})

test('a proxy that answers an upgrade with a page refuses it', async () => {
  const address = await listen(createHttpServer((_request, response) => void response.end('no')))
  expect(await probe(address)).toMatchObject({ state: 'broken', reason: 'refused' })
})

test('a port that swallows everything gives no answer, and keeps no socket', async () => {
  const patience = new AbortController()
  const sockets: Socket[] = []
  const address = await listen(
    createServer((socket) => {
      sockets.push(socket.on('error', () => undefined).resume())
      patience.abort(new Error('patience ends'))
    }),
  )
  expect(await probe(address, patience.signal)).toMatchObject({ state: 'broken', reason: 'no_answer' })
  await vi.waitFor(() => expect(sockets.every(({ destroyed }) => destroyed)).toBe(true))
})

/** Takes the upgrade by hand, and leaves what follows to `then`. */
async function opensAnd(then: (socket: Socket) => void): Promise<string> {
  const server = createHttpServer()
  server.on('upgrade', (request, socket: Socket) => {
    const accept = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
    socket.on('error', () => undefined)
    socket.once('data', () => then(socket))
    ends.push(() => void socket.destroy())
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
  })
  return listen(server)
}

test('a WebSocket that opens and carries nothing is silent', async () => {
  const patience = new AbortController()
  const address = await opensAnd(() => patience.abort(new Error('patience ends')))
  expect(await probe(address, patience.signal)).toMatchObject({ state: 'broken', reason: 'silent' })
})

test('a WebSocket that is cut after it opened says so', async () => {
  expect(await probe(await opensAnd((socket) => socket.destroy()))).toMatchObject({ state: 'broken', reason: 'cut' })
})

test('a second address is tried when the first fails, and none is not offered', async () => {
  const peer = await stockPeer()
  const refuses = await listen(createHttpServer((_request, response) => void response.end('no')))
  const addresses = [refuses, String(peer.getMultiaddrs()[0])]
  const parts = { kind: 'websocket', accessToken: undefined, dial: dialHop, steady: () => performance.now() } as const
  expect(await probeHop({ ...parts, addresses, signal: AbortSignal.timeout(20_000) })).toMatchObject({ state: 'works' })
  expect(await probeHop({ ...parts, addresses: [], signal: AbortSignal.timeout(20_000) })).toEqual({ state: 'not_offered' })
})
