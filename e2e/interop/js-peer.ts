/**
 * The js-libp2p peer: plain js-libp2p as its documents set it up, driven by the line protocol of README.md like its siblings in Go and Rust.
 * It knows nothing of Footbridge. Argument: settings as JSON.
 */
import { createInterface } from 'node:readline'
import { quic } from '@chainsafe/libp2p-quic'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair, publicKeyToProtobuf } from '@libp2p/crypto/keys'
import { dcutr } from '@libp2p/dcutr'
import { gossipsub, type GossipSub } from '@libp2p/gossipsub'
import { identify, type Identify } from '@libp2p/identify'
import type { Connection, Libp2p } from '@libp2p/interface'
import { kadDHT, passthroughMapper, type KadDHT } from '@libp2p/kad-dht'
import { mdns } from '@libp2p/mdns'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping, type Ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { webRTCDirect } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { answerBulk, askBulk, BULK_PROTOCOL } from './bulk.ts'
import type { Command, PeerSettings } from './foreign-peer.ts'

const PATIENCE_MS = 90_000
const LIMITED = { runOnLimitedConnection: true }

type Services = { identify: Identify; ping: Ping; gossip: GossipSub; kad?: KadDHT; relay?: unknown; dcutr?: unknown }

const settings = JSON.parse(process.argv[2] ?? '{}') as PeerSettings
const say = (event: object): void => void process.stdout.write(`${JSON.stringify(event)}\n`)
// libp2p leaves promises behind when a stream ends under it; a command that fails says so itself.
process.on('unhandledRejection', () => {})

const privateKey = await generateKeyPair('Ed25519')
const node: Libp2p<Services> = await createLibp2p<Services>({
  // Once those who listen are there: libp2p tells of a peer it discovers a single time.
  start: false,
  privateKey,
  nodeInfo: { userAgent: 'footbridge-interop/js' },
  addresses: { listen: [...settings.listen] },
  transports: [tcp(), webSockets(), quic(), webRTCDirect(), circuitRelayTransport()],
  connectionEncrypters: [noise(), tls()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false },
  connectionMonitor: { enabled: false },
  peerDiscovery: settings.mdnsTag === undefined ? [] : [mdns({ serviceTag: settings.mdnsTag, interval: 1_000 })],
  services: {
    identify: identify({ runOnLimitedConnection: true }),
    ping: ping({ runOnLimitedConnection: true }),
    gossip: gossipsub({ emitSelf: false, allowPublishToZeroTopicPeers: true }),
    ...(settings.kadPrefix !== undefined && {
      kad: kadDHT({ protocol: `${settings.kadPrefix}/kad/1.0.0`, clientMode: false, peerInfoMapper: passthroughMapper }),
    }),
    ...(settings.relay === true && { relay: circuitRelayServer({ reservations: { applyDefaultLimit: false } }) }),
    ...(settings.dcutr === true && { dcutr: dcutr() }),
  },
})
const found = new Map<string, Set<string>>()
node.addEventListener('peer:discovery', ({ detail: { id, multiaddrs } }) => {
  const known = found.get(id.toString()) ?? new Set()
  for (const address of multiaddrs) known.add(address.toString())
  found.set(id.toString(), known)
})
const identified = new Map<string, object>()
node.addEventListener('peer:identify', ({ detail: { peerId, agentVersion, protocols, listenAddrs } }) =>
  identified.set(peerId.toString(), { agent: agentVersion, protocols, addresses: listenAddrs.map(String) }),
)
node.services.gossip.addEventListener('message', ({ detail }) => {
  if (detail.type !== 'signed') return
  say({ event: 'message', topic: detail.topic, from: detail.from.toString(), data: new TextDecoder().decode(detail.data) })
})
await node.handle(BULK_PROTOCOL, answerBulk, LIMITED)
await node.start()
say({ event: 'ready', peer: node.peerId.toString(), addresses: node.getMultiaddrs().map(String) })

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as Command & { id: number }
  obey(command).then(
    (answer) => say({ ...answer, event: 'done', id: command.id }),
    (error: unknown) => say({ event: 'failed', id: command.id, error: error instanceof Error ? describe(error) : String(error) }),
  )
}
process.exit(0)

async function obey(command: Command): Promise<object> {
  const signal = AbortSignal.timeout(PATIENCE_MS)
  switch (command.do) {
    case 'dial': {
      const address = multiaddr(command.address)
      const connection = await node.dial(address, { signal, force: true })
      const { encryption, multiplexer, remoteAddr, remotePeer } = connection
      return { peer: remotePeer.toString(), address: remoteAddr.toString(), security: encryption, muxer: multiplexer }
    }
    case 'hangUp':
      for (const connection of node.getConnections(peerIdFromString(command.peer))) connection.abort(new Error('the cell is done'))
      return {}
    case 'paths':
      return { paths: node.getConnections(peerIdFromString(command.peer)).map(({ remoteAddr }) => remoteAddr.toString()) }
    case 'ping':
      return { ms: await node.services.ping.ping(peerIdFromString(command.peer), { signal }) }
    case 'identify':
      return eventually(signal, () => identified.get(command.peer))
    case 'bulk':
      return askBulk(await connectionTo(command.peer).newStream(BULK_PROTOCOL, { ...LIMITED, signal }), command)
    case 'subscribe':
      node.services.gossip.subscribe(command.topic)
      return {}
    case 'publish':
      await node.services.gossip.publish(command.topic, new TextEncoder().encode(command.data))
      return {}
    case 'topicPeers':
      return { peers: node.services.gossip.getSubscribers(command.topic).map(String) }
    case 'reserve':
      return reserve(command.address, signal)
    case 'sign': {
      const signature = await privateKey.sign(Buffer.from(command.bytes, 'hex'))
      return { signature: hex(signature), publicKey: hex(publicKeyToProtobuf(privateKey.publicKey)) }
    }
    case 'kadBootstrap':
      await node.dial(multiaddr(command.address), { signal })
      await node.services.kad?.refreshRoutingTable({ signal })
      return {}
    case 'kadFind': {
      const { multiaddrs } = await node.peerRouting.findPeer(peerIdFromString(command.peer), { signal, useCache: false })
      return { addresses: multiaddrs.map(String) }
    }
    case 'mdnsFind':
      return eventually(signal, () => {
        const addresses = found.get(command.peer)
        return addresses && { addresses: [...addresses] }
      })
    default:
      throw new Error(`nobody here knows how to ${JSON.stringify(command.do)}`)
  }
}

async function eventually(signal: AbortSignal, look: () => object | undefined): Promise<object> {
  for (;;) {
    const there = look()
    if (there !== undefined) return there
    signal.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** By the stock transport: it says no more than that it was refused. */
async function reserve(address: string, signal: AbortSignal): Promise<object> {
  const transports = (node as unknown as { components: { transportManager: { listen(addresses: unknown[]): Promise<void> } } }).components
  await node.dial(multiaddr(address), { signal })
  const refusal = transports.transportManager.listen([multiaddr(`${address}/p2p-circuit`)]).then(
    () => undefined,
    (error: Error) => describe(error),
  )
  const refused = await refusal
  const addresses = node
    .getMultiaddrs()
    .map(String)
    .filter((own) => own.includes('/p2p-circuit'))
  return addresses.length > 0 ? { status: 'OK', addresses } : { status: refused ?? 'no reservation' }
}

function connectionTo(peer: string): Connection {
  const connection = node.getConnections(peerIdFromString(peer)).findLast(({ status }) => status === 'open')
  if (connection === undefined) throw new Error(`no connection to ${peer}`)
  return connection
}

/** With what is inside: an aggregate alone says nothing. */
function describe(error: Error): string {
  const inner =
    error instanceof AggregateError
      ? error.errors.map((each) => describe(each as Error))
      : error.cause instanceof Error
        ? [describe(error.cause)]
        : []
  return [`${error.name}: ${error.message}`, ...inner].join('; ')
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
