import { noise } from '@libp2p/noise'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import type { Connection } from '@libp2p/interface'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { createLibp2p, type Libp2p } from 'libp2p'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createNode, type FootbridgeNode } from './create-node.ts'

let stock: Libp2p
let ours: FootbridgeNode
let link: Connection

beforeEach(async () => {
  stock = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
    transports: [webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ enableKeepAlive: false })],
    connectionMonitor: { enabled: false },
  })
  ours = await createNode({ key: await generateKeyPair('Ed25519'), transports: [], listen: [], now: () => performance.now() })
  link = await ours.dialBridge(stock.getMultiaddrs().map(String), AbortSignal.timeout(5_000))
})
afterEach(async () => {
  await ours.libp2p.stop()
  await stock.stop()
})

test('stock yamux answers a question with a sign of life', async () => {
  const before = ours.signs.heard(link)?.times ?? -1
  expect(await ours.signs.ask(link)).toBeGreaterThanOrEqual(0)
  const heard = ours.signs.heard(link)
  expect(heard?.times).toBeGreaterThan(before)
  expect(performance.now() - (heard?.at ?? 0)).toBeLessThan(5_000)
})

test('questions that pend together are all answered, and the link lives on', async () => {
  await Promise.all([ours.signs.ask(link), ours.signs.ask(link), ours.signs.ask(link)])
  expect(link.status).toBe('open')
})

test('a link that is cut is gone at both ends', async () => {
  const [far] = await vi.waitFor(() => {
    expect(stock.getConnections()).toHaveLength(1)
    return stock.getConnections()
  })
  ours.cut(link)
  expect(link.status).not.toBe('open')
  await vi.waitFor(() => expect(far?.status).not.toBe('open'))
})

test('the newest of several links is cut or kept alone', async () => {
  const second = await ours.dialBridge(stock.getMultiaddrs().map(String), AbortSignal.timeout(5_000))
  expect(ours.bridgeConnections(stock.peerId)).toEqual([link, second])
  ours.cut(link)
  expect(ours.bridgeConnections(stock.peerId)).toEqual([second])
  expect(await ours.signs.ask(second)).toBeGreaterThanOrEqual(0)
})

test('a first hop of a kind that this node does not speak is left aside for one that it does', async () => {
  const [webSocket = ''] = stock.getMultiaddrs().map(String)
  const hash = 'uEiDRRYUEStX8Ea1RUbxAnImCEFNH9SIeR4s-cqiwJHAWXA'
  const webTransport = `/ip4/127.0.0.1/udp/4433/quic-v1/webtransport/certhash/${hash}/certhash/${hash}/p2p/${stock.peerId.toString()}`
  const second = await ours.dialBridge([webTransport, webSocket], AbortSignal.timeout(5_000))
  expect(second.remoteAddr.toString()).toBe(webSocket)
})
