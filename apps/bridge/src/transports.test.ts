/**
 * A whole bridge, dialled in every way by stock libp2p nodes that know nothing of ours, and what it says of itself to them. WebTransport is in webtransport.native.test.ts.
 */
import { createSocket } from 'node:dgram'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { quic } from '@chainsafe/libp2p-quic'
import { identify, identifyPush } from '@libp2p/identify'
import type { PeerId } from '@libp2p/interface'
import { kadDHT, passthroughMapper, type KadDHT } from '@libp2p/kad-dht'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { webRTCDirect } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr, type Multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2p } from 'libp2p'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { kademliasOf } from './node/kademlia.ts'
import { createBench, type TestBridge } from './test-bridge.ts'

const bench = createBench()
afterEach(() => bench.end())
const eventually = <Value>(check: () => Value | Promise<Value>): Promise<Value> => vi.waitFor(check, { timeout: 20_000, interval: 20 })

/** The address that ends so, before its certificates and its peer. */
function addressOf(bridge: TestBridge, ending: string): Multiaddr {
  const found = bridge.addresses.find((address) => new RegExp(`^/ip[46]/[^/]+/(tcp|udp)/\\d+${ending}(/certhash/|/p2p/)`).test(address))
  return multiaddr(found ?? 'none')
}

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'))

describe.each(hasIpv6 ? ['127.0.0.1', '::1'] : ['127.0.0.1'])('a bridge on %s', { timeout: 60_000 }, (host) => {
  it.each([
    ['TCP and noise', '', () => tcp(), noise(), '/noise'],
    ['TCP and TLS', '', () => tcp(), tls(), '/tls/1.0.0'],
    ['QUIC', '/quic-v1', () => quic(), noise(), 'native'],
    ['WebSocket', '/ws', () => webSockets(), noise(), '/noise'],
  ])('is dialled over %s', async (_name, ending, transport, encrypter, encryption) => {
    const bridge = await bench.startBridge({ host })
    const native = await bench.startNode({ transports: [transport()], connectionEncrypters: [encrypter] })
    const connection = await native.dial(addressOf(bridge, ending))
    expect(connection.remotePeer.toString()).toBe(bridge.peer)
    expect(connection.encryption).toBe(encryption)
    expect(await native.services.ping.ping(connection.remotePeer)).toBeGreaterThanOrEqual(0)
  })
})

describe('a bridge', { timeout: 60_000 }, () => {
  // Not on ::1, where node-datachannel makes no connection.
  it('is dialled over WebRTC-direct', async () => {
    const bridge = await bench.startBridge()
    const native = await bench.startNode({ transports: [webRTCDirect({ rtcConfiguration: { iceServers: [] } })] })
    const { remotePeer } = await native.dial(addressOf(bridge, '/webrtc-direct'))
    expect(remotePeer.toString()).toBe(bridge.peer)
    expect(await native.services.ping.ping(remotePeer)).toBeGreaterThanOrEqual(0)
  })

  it('has the same address of WebRTC-direct after a restart, so that what others remember leads to it', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'footbridge-restart-'))
    bench.cleanups.push(() => rm(dataDir, { recursive: true }))
    const certificateOf = (bridge: TestBridge): string | undefined => addressOf(bridge, '/webrtc-direct').toString().split('/certhash/')[1]
    const first = await bench.startBridge({ dataDir })
    await first.stop()
    const second = await bench.startBridge({ dataDir })
    expect(certificateOf(first)).toMatch(/^u/)
    expect(certificateOf(second)).toBe(certificateOf(first))
  })

  it('names itself and what it speaks by identify, and tells more by push when that changes', async () => {
    const bridge = await bench.startBridge({ dialPrivate: '127.0.0.0/8' })
    const native = await bench.startNode({
      transports: [tcp()],
      services: { identify: identify(), identifyPush: identifyPush(), ping: ping() },
    })
    const { remotePeer } = await native.dial(addressOf(bridge, ''))
    const known = (): Promise<string[]> => native.peerStore.get(remotePeer).then(({ protocols }) => protocols)
    await eventually(async () =>
      expect(await known()).toEqual(
        expect.arrayContaining([
          '/ipfs/id/1.0.0',
          '/ipfs/id/push/1.0.0',
          '/ipfs/ping/1.0.0',
          '/ipfs/kad/1.0.0',
          '/libp2p/autonat/1.0.0',
          '/libp2p/autonat/2/dial-request',
          '/libp2p/dcutr',
          '/libp2p/circuit/relay/0.2.0/hop',
          '/libp2p/circuit/relay/0.2.0/stop',
          '/meshsub/1.1.0',
        ]),
      ),
    )
    await bridge.node.handle('/news/1.0.0', () => {})
    await eventually(async () => expect(await known()).toContain('/news/1.0.0'))
    await native.handle('/own/1.0.0', () => {})
    await eventually(async () => expect((await bridge.node.peerStore.get(native.peerId)).protocols).toContain('/own/1.0.0'))
  })

  it('forgets a stranger when they leave', async () => {
    const bridge = await bench.startBridge()
    const native = await bench.startNative()
    await native.dial(addressOf(bridge, ''))
    await eventually(async () => expect(await bridge.node.peerStore.has(native.peerId)).toBe(true))
    await native.stop()
    await eventually(async () => expect(await bridge.node.peerStore.has(native.peerId)).toBe(false))
  })

  it('opens no stream to a browser that does nothing', async () => {
    const bridge = await bench.startBridge({ dialPrivate: '127.0.0.0/8' })
    const { node } = await bench.startBrowser(bridge, 'Alice')
    await eventually(() => expect(bridge.registry.list()).toMatchObject([{ state: 'reachable' }]))
    const [connection] = bridge.node.getConnections(node.peerId)
    const opened: string[] = []
    await eventually(() => expect(connection!.streams).toEqual([]))
    const observed = setInterval(() => opened.push(...connection!.streams.map(({ protocol }) => protocol)), 5)
    // A native peer that speaks everything comes meanwhile: what the bridge then does is none of the browser's business.
    const native = await startKad(['/ipfs/kad/1.0.0'])
    await native.dial(addressOf(bridge, ''))
    await eventually(async () =>
      expect(await bridge.node.peerStore.get(native.peerId)).toMatchObject({ protocols: expect.arrayContaining(['/ipfs/kad/1.0.0']) }),
    )
    clearInterval(observed)
    expect(opened).toEqual([])
  })

  it('dials nobody on its own machine, unless the operator opened it or named the peer', async () => {
    const native = await bench.startNative(['/ip4/127.0.0.1/tcp/0'])
    const [address] = native.getMultiaddrs()
    const closed = await bench.startBridge()
    await expect(closed.node.dial(address!)).rejects.toThrow('denied all addresses')
    const opened = await bench.startBridge({ dialPrivate: '127.0.0.0/8' })
    expect((await opened.node.dial(address!)).remotePeer).toEqual(native.peerId)
    const named = await bench.startBridge({ bootstrapAddrs: address!.toString() })
    expect((await named.node.dial(address!)).remotePeer).toEqual(native.peerId)
  })

  it('does without QUIC when somebody has its port, and still listens on the rest', async () => {
    const socket = createSocket('udp4')
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve))
    bench.cleanups.push(() => void socket.close())
    const bridge = await bench.startBridge({ p2pPort: String(socket.address().port - 1) })
    expect(bridge.addresses.some((address) => address.includes('/quic-v1'))).toBe(false)
    expect(addressOf(bridge, '').toString()).toContain(`/tcp/${socket.address().port - 1}/`)
  })

  it('listens where it is told, and nowhere else', async () => {
    const bridge = await bench.startBridge({ listenAddrs: '/ip4/127.0.0.1/tcp/0,/ip4/127.0.0.2/udp/0/quic-v1' })
    expect(bridge.addresses.map((address) => address.replace(/\/(\d+)(\/|$)/, '/N$2').replace(/\/p2p\/.*/, ''))).toEqual([
      '/ip4/127.0.0.1/tcp/N',
      '/ip4/127.0.0.2/udp/N/quic-v1',
      '/ip4/127.0.0.1/tcp/N/ws',
    ])
  })
})

type KadPeer = Libp2p<{ dht: KadDHT }>

async function startKad([protocol]: readonly string[]): Promise<KadPeer> {
  const node = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({ ...(protocol !== undefined && { protocol }), clientMode: false, peerInfoMapper: passthroughMapper }),
    },
  })
  bench.cleanups.push(() => node.stop())
  return node as unknown as KadPeer
}

async function find(from: KadPeer, peer: PeerId): Promise<string[]> {
  for await (const event of from.services.dht.findPeer(peer, { signal: AbortSignal.timeout(20_000) }))
    if (event.name === 'FINAL_PEER') return event.peer.multiaddrs.map(String)
  return []
}

describe('Kademlia on a bridge', { timeout: 60_000 }, () => {
  const names = ['/ipfs/kad/1.0.0', '/calimero/kad/1.0.0']

  it('is in each network by its name: peers of one find each other through it', async () => {
    const bridge = await bench.startBridge({ dialPrivate: '127.0.0.0/8', kadProtocols: names.join() })
    expect(kademliasOf(bridge.node.services).map(({ protocol }) => protocol)).toEqual(names)
    for (const name of names) {
      const [alice, bob] = [await startKad([name]), await startKad([name])]
      for (const peer of [alice, bob]) await peer.dial(addressOf(bridge, ''))
      const bobs = bob.getMultiaddrs().map((address) => address.decapsulate('/p2p').toString())
      await eventually(async () => expect(await find(alice, bob.peerId)).toEqual(expect.arrayContaining(bobs)))
    }
  })

  it('tells nobody of private addresses unless they are the network’s', async () => {
    const port = await freePort()
    const bridge = await bench.startBridge({ announceAddrs: '/ip4/11.0.0.5/tcp/4001', p2pPort: String(port) })
    const [alice, bob] = [await startKad([]), await startKad([])]
    for (const peer of [alice, bob]) await peer.dial(multiaddr(`/ip4/127.0.0.1/tcp/${port}/p2p/${bridge.peer}`))
    await eventually(async () => expect((await bridge.node.peerStore.get(bob.peerId)).addresses).not.toEqual([]))
    expect(await find(alice, bob.peerId).catch(() => [])).toEqual([])
  })
})

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
