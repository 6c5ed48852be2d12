/**
 * A native peer that uses no code of ours: stock js-libp2p over TCP with a Kademlia DHT in client mode. It knows a bridge's address and a PeerID; for each line of its
 * standard input it looks for that peer, dials the addresses that it was told, and prints what came of it as a JSON line.
 *
 *     seeker.mjs <bridge address> <PeerID> <DHT protocol>
 */
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { createInterface } from 'node:readline'

const [bridge, peer, protocol] = process.argv.slice(2)
const print = (event) => process.stdout.write(`${JSON.stringify(event)}\n`)

/** A node of its own for each look, so that none remembers what another was told. */
async function look() {
  const node = await createLibp2p({
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({ protocol, clientMode: true, peerInfoMapper: passthroughMapper, initialQuerySelfInterval: 50 }),
    },
  })
  try {
    await node.dial(multiaddr(bridge))
    const { multiaddrs } = await node.peerRouting.findPeer(peerIdFromString(peer), { signal: AbortSignal.timeout(20_000) })
    const [address] = multiaddrs
    const connection = await node.dial(address.encapsulate(`/p2p/${peer}`))
    const ms = await node.services.ping.ping(connection.remotePeer)
    return { outcome: 'found', address: address.toString(), remote: connection.remotePeer.toString(), ms }
  } catch (error) {
    if (error.name === 'NotFoundError') return { outcome: 'not found' }
    return { outcome: 'failed', reason: String(error) }
  } finally {
    await node.stop()
  }
}

let number = 0
for await (const _line of createInterface({ input: process.stdin })) print({ event: 'looked', number: ++number, ...(await look()) })
process.exit(0)
