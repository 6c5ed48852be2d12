/**
 * The browser's virtual peer, built for a page of the bridge's own origin: the SDK's own login, node, reservation and gossip (packages/client), without the app
 * around them, and the test protocol of README.md. `globalThis.interop` is what the cells call. Not here: the supervisor, conversations, files.
 */
import { generateKeyPair } from '@libp2p/crypto/keys'
import type { Connection } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Ping } from '@libp2p/ping'
import { fetchBridge, logIn } from '@footbridge/client/login'
import { createNode, isCircuit, type FootbridgeNode } from '@footbridge/client/node/create-node'
import { createGossip, type Gossip } from '@footbridge/client/node/gossip'
import { rtcTransport } from '@footbridge/client/node/web-rtc'
import { createAnnouncing } from '@footbridge/client/announcing'
import { createLog } from '@footbridge/client/log'
import { writable } from '@footbridge/client/observable'
import type { Findable } from '@footbridge/client/api'
import type { SessionAnswer } from '@footbridge/shared/login'
import { answerBulk, askBulk, BULK_PROTOCOL, type BulkOrder, type BulkResult } from './bulk.ts'

const LIMITED = { runOnLimitedConnection: true }
const PATIENCE_MS = 60_000
const IDENTIFY_MS = 5_000

let node: FootbridgeNode
let session: SessionAnswer
let gossip: Gossip
const heard: { topic: string; from: string; data: string }[] = []
const dialled = new Map<string, Connection>()

/** A fresh key logs in with `token`, dials the bridge's first hop, reserves, and serves the test protocol. */
async function arrive(token: string): Promise<{ peer: string; bridge: string }> {
  const key = await generateKeyPair('Ed25519')
  const parts = { bridgeUrl: location.origin, fetch: fetch.bind(globalThis), now: () => Date.now() }
  const bridge = await fetchBridge(parts)
  session = await logIn(parts, {
    bridgePeer: bridge.peer,
    key,
    credential: { kind: 'token', token },
    name: 'interop',
    visibility: 'network',
  })
  const { transports, listen } = await rtcTransport(undefined, () => [])
  node = await createNode({ key, transports, listen, now: () => performance.now() })
  await node.libp2p.handle(BULK_PROTOCOL, answerBulk, LIMITED)
  gossip = createGossip(node.components)
  await gossip.start()
  gossip.pubsub.addEventListener('message', ({ detail }) => {
    if (detail.type !== 'signed') return
    heard.push({ topic: detail.topic, from: detail.from.toString(), data: new TextDecoder().decode(detail.data) })
  })
  const link = await node.dialBridge(
    session.firstHops.filter((address) => node.isDialable(address)),
    AbortSignal.timeout(PATIENCE_MS),
  )
  await node.reserve(peerIdFromString(bridge.peer), AbortSignal.timeout(PATIENCE_MS))
  // As the app does whose person chose to be found by everybody.
  const findable = writable<Findable>({ choice: 'network', places: [], isSupported: true })
  const announcing = createAnnouncing({
    key,
    findable,
    bridgePeer: () => bridge.peer,
    log: createLog(() => Date.now()),
    now: () => Date.now(),
  })
  await announcing.open(link)
  return { peer: session.peer, bridge: bridge.peer }
}

/** At exactly this address. @returns the connection's remote address and what the peer says of itself. */
async function dial(address: string): Promise<{ address: string; agent: string; protocols: string[]; rttMs: number | undefined }> {
  const connection = await node.dial(address, AbortSignal.timeout(PATIENCE_MS))
  dialled.set(connection.remotePeer.toString(), connection)
  const { ping } = node.libp2p.services as unknown as { ping: Ping }
  // By yamux over a circuit: libp2p's ping would look for a connection that is not limited.
  return {
    address: connection.remoteAddr.toString(),
    ...(await identified(connection)),
    rttMs: isCircuit(connection) ? await node.signs.ask(connection) : await ping.ping(connection.remotePeer),
  }
}

/** libp2p identifies whoever it is connected to; where nothing comes of that, the answer to our own question is why. */
async function identified(connection: Connection): Promise<{ agent: string; protocols: string[] }> {
  for (const deadline = performance.now() + IDENTIFY_MS; performance.now() < deadline;) {
    const known = await node.libp2p.peerStore.get(connection.remotePeer).catch(() => undefined)
    const agent = known?.metadata.get('AgentVersion')
    if (known && agent !== undefined) return { agent: new TextDecoder().decode(agent), protocols: known.protocols }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  const answer = (await node.identify(connection)) as { agentVersion?: string; protocols: string[] }
  return { agent: answer.agentVersion ?? '', protocols: answer.protocols }
}

/** On the connection that was dialled last. */
async function bulk(peer: string, order: BulkOrder): Promise<BulkResult> {
  const connection = dialled.get(peer)
  if (connection === undefined) throw new Error(`${peer} was not dialled`)
  const stream = await connection.newStream(BULK_PROTOCOL, LIMITED)
  const timer = setTimeout(() => stream.abort(new Error('the bytes took too long')), PATIENCE_MS)
  try {
    return await askBulk(stream, order)
  } finally {
    clearTimeout(timer)
  }
}

function hangUp(peer: string): void {
  dialled.get(peer)?.abort(new Error('the cell is done'))
  dialled.delete(peer)
}

const interop = {
  arrive,
  dial,
  bulk,
  hangUp,
  circuitHop: () => `/p2p/${session.bridge.peer}/p2p-circuit`,
  subscribe: (topic: string) => gossip.pubsub.subscribe(topic),
  publish: async (topic: string, data: string) => void (await gossip.pubsub.publish(topic, new TextEncoder().encode(data))),
  heard: (topic: string, data: string) => heard.find((message) => message.topic === topic && message.data === data),
  /** Of the connections that are there. */
  firstHop: () => node.bridgeConnections(peerIdFromString(session.bridge.peer)).map(({ remoteAddr }) => remoteAddr.toString()),
}
export type Interop = typeof interop
Object.assign(globalThis, { interop })
