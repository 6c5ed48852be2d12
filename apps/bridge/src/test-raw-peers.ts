/**
 * For tests: peers that speak HOP and STOP by hand to a whole bridge, well or badly. They have a session if they want one, and neither identify nor the
 * circuit transport, so that nothing happens on their connections but what the test does.
 * The whole bridge and well-behaved peers: test-bridge.ts.
 */
import { once } from 'node:events'
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection, Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { webSockets } from '@libp2p/websockets'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, vi } from 'vitest'
import {
  HOP_PROTOCOL,
  STATUS,
  STOP_PROTOCOL,
  decodeHopMessage,
  encodeHopMessage,
  encodeStopMessage,
  type HopMessage,
} from './relay/wire.ts'
import { signLogin, type Bench, type Peer, type TestBridge } from './test-bridge.ts'

export interface RawPeer {
  readonly node: Peer
  readonly connection: Connection
}

/** Connected; with a session when it has a name. By TCP, as native peers, or by WebSocket, as browsers. */
export async function startRawPeer(bench: Bench, bridge: TestBridge, options: { name?: string; by?: 'tcp' | 'ws' } = {}): Promise<RawPeer> {
  const privateKey = await generateKeyPair('Ed25519')
  if (options.name !== undefined) {
    const login = await signLogin(bridge.peer, privateKey, await unlimitedToken(bridge), options.name)
    // Closed, so that no socket of fetch's stays behind.
    const response = await fetch(`${bridge.url}/api/v1/sessions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Connection: 'close' },
      body: JSON.stringify(login),
    })
    if (response.status !== 201) throw new Error(`the login was answered ${response.status}: ${await response.text()}`)
  }
  const node = await bench.startNode({ privateKey, transports: [tcp(), webSockets()], connectionMonitor: { enabled: false }, services: {} })
  const address = options.by === 'ws' ? `/ip4/127.0.0.1/tcp/${bridge.port}/ws/p2p/${bridge.peer}` : bridge.addresses[0]
  return { node, connection: await node.dial(multiaddr(address)) }
}

/** The first token is for ten devices. */
export async function unlimitedToken({ tokens }: TestBridge): Promise<string> {
  return (await tokens.create({ label: 'test', expiresAt: null })).token
}

export const connectTo = ({ node }: { readonly node: Peer }): HopMessage => ({
  type: 'CONNECT',
  peer: { id: node.peerId.toMultihash().bytes, addrs: [] },
})

/** One exchange on a stream of its own. */
export async function askHop(connection: Connection, request: HopMessage): Promise<{ reply: HopMessage; stream: Stream }> {
  const stream = await connection.newStream(HOP_PROTOCOL)
  const frames = lpStream(stream)
  await frames.write(encodeHopMessage(request))
  const reply = decodeHopMessage((await frames.read({ signal: AbortSignal.timeout(20_000) })).subarray())
  return { reply, stream: frames.unwrap() }
}

export async function reserve({ connection }: RawPeer): Promise<void> {
  const { reply, stream } = await askHop(connection, { type: 'RESERVE' })
  expect(reply.status).toBe(STATUS.OK)
  await stream.close()
}

/** Accepts every circuit; `onCircuit` gets the raw stream, paused. */
export async function acceptCircuits({ node }: RawPeer, onCircuit: (stream: Stream) => void): Promise<void> {
  await node.handle(
    STOP_PROTOCOL,
    async (stream) => {
      const frames = lpStream(stream)
      await frames.read()
      frames.unwrap()
      stream.pause()
      stream.send(framed(encodeStopMessage({ type: 'STATUS', status: STATUS.OK })))
      onCircuit(stream)
    },
    { maxInboundStreams: 2_000, force: true },
  )
}

/** A circuit from one raw peer to another, which holds a reservation and accepts. `far` is paused. */
export async function openCircuit(caller: RawPeer, destination: RawPeer): Promise<{ near: Stream; far: Stream }> {
  const accepted = Promise.withResolvers<Stream>()
  await acceptCircuits(destination, accepted.resolve)
  const { reply, stream } = await askHop(caller.connection, connectTo(destination))
  expect(reply.status).toBe(STATUS.OK)
  return { near: stream, far: await accepted.promise }
}

/** A circuit to this peer works. */
export async function served(bench: Bench, bridge: TestBridge, destination: RawPeer): Promise<void> {
  const caller = await startRawPeer(bench, bridge)
  const accepted = Promise.withResolvers<Stream>()
  await acceptCircuits(destination, accepted.resolve)
  const { reply, stream } = await askHop(caller.connection, connectTo(destination))
  expect(reply.status).toBe(STATUS.OK)
  const far = await accepted.promise
  const heard = once(far as unknown as EventTarget, 'message')
  far.resume()
  stream.send(Uint8Array.of(1))
  await heard
  stream.abort(new Error('done'))
}

/** With its length before it; relay messages fit two bytes of length. */
export function framed(message: Uint8Array): Uint8Array {
  const { length } = message
  return Uint8Array.from([...(length < 0x80 ? [length] : [(length & 0x7f) | 0x80, length >> 7]), ...message])
}

/** As an operator does: what is looked at here is not how much somebody may use. */
export async function liftLimits({ admin }: TestBridge): Promise<void> {
  for (const scope of ['peer', 'address', 'bridge']) {
    const body = JSON.stringify({ circuits: null, circuitsPerMinute: null })
    const response = await admin.request(`/limits/${scope}`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })
    if (!response.ok) throw new Error(await response.text())
  }
}

/** What the bridge holds for its peers: every count that must be back where it was when they are gone. */
export function holdings({ node, relay, registry }: TestBridge): Readonly<Record<string, number>> {
  const streams = node.getConnections().flatMap((connection) => connection.streams)
  return {
    connections: node.getConnections().length,
    streams: streams.length,
    circuits: relay.circuits().length,
    reachable: registry.list().filter(({ state }) => state === 'reachable').length,
  }
}

/** Bytes that the bridge's streams hold in their buffers, in all: libp2p's, and what our yamux keeps for a reader whose window is closed. */
export function bufferedBytes({ node }: TestBridge): number {
  const streams: (Stream & { readonly waitingBytes?: number })[] = node.getConnections().flatMap((connection) => connection.streams)
  return streams.reduce((sum, stream) => sum + stream.readBufferLength + stream.writeBufferLength + (stream.waitingBytes ?? 0), 0)
}

export const eventually = <Value>(check: () => Value | Promise<Value>): Promise<Value> =>
  vi.waitFor(check, { timeout: 15_000, interval: 10 })
