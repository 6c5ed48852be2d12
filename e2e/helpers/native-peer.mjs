/**
 * A native peer that uses no code of ours: stock js-libp2p over TCP and the text of docs/protocol.md. Give it the circuit address of a virtual peer;
 * it dials, pings, sends every line of its standard input as a message, and prints what happens as JSON lines.
 */
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { createInterface } from 'node:readline'

const MESSAGES = '/footbridge/message/1.0.0'
const limited = { runOnLimitedConnection: true }
const print = (event) => process.stdout.write(`${JSON.stringify(event)}\n`)
const read = async (frames) => JSON.parse(new TextDecoder().decode((await frames.read()).subarray()))
const write = (frames, frame) => frames.write(new TextEncoder().encode(JSON.stringify(frame)))

const node = await createLibp2p({
  transports: [tcp(), circuitRelayTransport()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), ping: ping() },
})

await node.handle(
  MESSAGES,
  async (stream, connection) => {
    const frames = lpStream(stream)
    while (stream.readStatus !== 'closed') {
      const frame = await read(frames).catch(() => undefined)
      if (frame === undefined) break
      if (frame.type !== 'profile') await write(frames, { type: 'ack', id: frame.id })
      print({ event: 'received', from: connection.remotePeer.toString(), frame })
    }
  },
  limited,
)

const address = multiaddr(process.argv[2])
const connection = await node.dial(address)
connection.addEventListener('close', () => print({ event: 'closed' }))
print({ event: 'connected', self: node.peerId.toString(), remote: connection.remotePeer.toString(), encryption: connection.encryption })
print({ event: 'pinged', ms: await node.services.ping.ping(address) })

const outbox = lpStream(await connection.newStream(MESSAGES, limited))
for await (const text of createInterface({ input: process.stdin })) {
  const id = crypto.randomUUID()
  await write(outbox, { type: 'text', id, at: Date.now(), text })
  const answer = await read(outbox)
  print({ event: answer.type, text: text.slice(0, 40), sameId: answer.id === id })
}
await node.stop()
process.exit(0)
