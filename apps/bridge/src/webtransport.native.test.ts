/**
 * A whole bridge whose first hop is WebTransport: login, dial, reservation, a circuit, and the end of a session.
 */
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { SessionAnswer } from '@footbridge/shared/login'
import { loadBinding } from '@footbridge/listeners/webtransport/binding'
import { testDialer } from '@footbridge/listeners/webtransport/test-dialer'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { encodeBindingRequest, parseBinding } from './stun/message.ts'
import { createBench, signLogin, type Peer, type TestBridge } from './test-bridge.ts'

const eventually = <Value>(check: () => Value | Promise<Value>): Promise<Value> => vi.waitFor(check, { timeout: 8_000, interval: 10 })

describe('a bridge with WebTransport', () => {
  const bench = createBench()
  afterEach(() => bench.end())

  async function startBrowser(bridge: TestBridge, closed: (code: number) => void = () => {}): Promise<{ node: Peer; firstHop: string }> {
    const privateKey = await generateKeyPair('Ed25519')
    const response = await fetch(`${bridge.url}/api/v1/sessions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(await signLogin(bridge.peer, privateKey, bridge.token)),
    })
    const { firstHops } = (await response.json()) as SessionAnswer
    const firstHop = firstHops.find((hop) => hop.includes('/webtransport/')) ?? 'none'
    const node = await bench.startNode({
      privateKey,
      addresses: { listen: [`${firstHop}/p2p-circuit`] },
      transports: [testDialer((session) => void session.closed().then(({ closeCode }) => closed(closeCode))), circuitRelayTransport()],
    })
    return { node, firstHop }
  }

  it('gives its address at login, and a virtual peer behind it is reached by a native one', async () => {
    const bridge = await bench.startBridge({}, { webTransport: loadBinding() })
    const { node, firstHop } = await startBrowser(bridge)
    expect(firstHop).toMatch(/^\/ip4\/127\.0\.0\.1\/udp\/\d+\/quic-v1\/webtransport\/certhash\/[\w-]+\/certhash\/[\w-]+\/p2p\//)
    expect(bridge.webTransport).toEqual({ port: Number(firstHop.split('/')[4]) })
    await eventually(() => expect(bridge.registry.list()).toMatchObject([{ state: 'reachable' }]))
    const native = await bench.startNative()
    const circuit = multiaddr(`${bridge.addresses[0]}/p2p-circuit/p2p/${node.peerId.toString()}`)
    expect(await native.services.ping.ping(circuit)).toBeGreaterThanOrEqual(0)
  })

  it('is told to native peers, who dial it without a login', async () => {
    const bridge = await bench.startBridge({}, { webTransport: loadBinding() })
    const native = await bench.startNode({ transports: [testDialer()] })
    const address = bridge.addresses.find((each) => each.includes('/quic-v1/webtransport/certhash/'))
    const { remotePeer } = await native.dial(multiaddr(address ?? 'none'))
    expect(remotePeer.toString()).toBe(bridge.peer)
    expect(await native.services.ping.ping(remotePeer)).toBeGreaterThanOrEqual(0)
  })

  it('shares its UDP port with STUN, and keeps working', async () => {
    const bridge = await bench.startBridge({}, { webTransport: loadBinding() })
    const { node } = await startBrowser(bridge)
    expect(bridge.webTransport).toEqual({ port: bridge.stunPorts[0] })
    const socket = createSocket('udp4')
    bench.cleanups.push(() => void socket.close())
    const answer = once(socket, 'message')
    const id = randomBytes(12)
    socket.send(encodeBindingRequest(id, 'footbridge doctor'), bridge.stunPorts[0], '127.0.0.1')
    const [datagram] = (await answer) as [Buffer]
    expect(parseBinding(datagram)).toMatchObject({
      transactionId: new Uint8Array(id),
      mapped: { address: '127.0.0.1', port: socket.address().port },
    })
    await eventually(() => expect(bridge.registry.list()).toMatchObject([{ state: 'reachable' }]))
    expect(await node.services.ping.ping(node.getConnections()[0]!.remotePeer)).toBeGreaterThanOrEqual(0)
  })

  it('hangs up with the reason when the token is revoked', async () => {
    const bridge = await bench.startBridge({}, { webTransport: loadBinding() })
    const closed = Promise.withResolvers<number>()
    await startBrowser(bridge, closed.resolve)
    const [token] = await bridge.tokens.list()
    await bridge.tokens.revoke(token!.record.id)
    expect(await closed.promise).toBe(4001)
  })

  it('runs without it where it cannot be loaded, or is switched off, and says why', async () => {
    const without = await bench.startBridge({}, { webTransport: { reason: 'it needs GLIBC 9.99' } })
    expect(without.webTransport).toEqual({ reason: 'it needs GLIBC 9.99' })
    const off = await bench.startBridge({ wtPort: 'off' }, { webTransport: loadBinding() })
    expect(off.webTransport).toEqual({ reason: 'switched off by --wt-port' })
  })
})
