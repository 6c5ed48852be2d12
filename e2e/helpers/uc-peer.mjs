/**
 * A peer of universal-connectivity that uses no code of ours: stock js-libp2p over TCP with stock gossipsub, its protocols written from their published
 * form. Give it a bridge's address; it joins the room and its files, answers direct messages and gives the files it offers. Its standard input takes
 * JSON lines, `{"say": text}`, `{"tell": {"to": peer, "text": text}}`, `{"offer": {"id", "bytes": base64}}`, `{"fetch": {"from": peer, "id"}}`; it prints
 * what happens as JSON lines.
 */
import { gossipsub } from '@libp2p/gossipsub'
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'

const CHAT = 'universal-connectivity'
const FILES = 'universal-connectivity-file'
const FILE_PROTOCOL = '/universal-connectivity-file/1'
const DM_PROTOCOL = '/universal-connectivity/dm/1.0.0'
const limited = { runOnLimitedConnection: true }
const bridge = process.argv[2]
const files = new Map()
const print = (event) => process.stdout.write(`${JSON.stringify(event)}\n`)

const varint = (value) => {
  const bytes = []
  let rest = BigInt(value)
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Buffer.from([...bytes, Number(rest)])
}
const field = (number, value) =>
  typeof value === 'string' || Buffer.isBuffer(value)
    ? Buffer.concat([varint((number << 3) | 2), varint(Buffer.byteLength(value)), Buffer.from(value)])
    : Buffer.concat([varint(number << 3), varint(value)])

function readFields(bytes) {
  const fields = {}
  let offset = 0
  const next = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[offset++]
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  while (offset < bytes.length) {
    const tag = Number(next())
    if ((tag & 7) === 0) fields[tag >> 3] = Number(next())
    else {
      const length = Number(next())
      fields[tag >> 3] = Buffer.from(bytes.subarray(offset, offset + length))
      offset += length
    }
  }
  return fields
}

const metadata = () => Buffer.concat([field(1, '0.0.1'), field(2, Date.now())])

const node = await createLibp2p({
  transports: [tcp(), circuitRelayTransport()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify({ runOnLimitedConnection: true }), pubsub: gossipsub({ allowPublishToZeroTopicPeers: true }) },
})
const { pubsub } = node.services

pubsub.addEventListener('message', ({ detail }) => {
  if (detail.type !== 'signed') return
  const from = detail.from.toString()
  const text = new TextDecoder().decode(detail.data)
  if (detail.topic === CHAT) print({ event: 'heard', from, text })
  if (detail.topic === FILES) print({ event: 'offered', from, id: text })
})

await node.handle(
  FILE_PROTOCOL,
  async (stream) => {
    const frames = lpStream(stream)
    const id = new TextDecoder().decode((await frames.read()).subarray())
    await frames.write(files.get(id))
    await stream.close()
    print({ event: 'gave', id })
  },
  limited,
)
await node.handle(
  DM_PROTOCOL,
  async (stream, connection) => {
    const frames = lpStream(stream)
    const request = readFields((await frames.read()).subarray())
    await frames.write(Buffer.concat([field(1, metadata()), field(2, 200)]))
    await stream.close()
    print({ event: 'told', from: connection.remotePeer.toString(), text: String(request[2]), type: String(request[3]) })
  },
  limited,
)

const connect = async (peer) => {
  const [open] = node.getConnections(peer).filter(({ status }) => status === 'open')
  return open ?? (await node.dial(multiaddr(`${bridge}/p2p-circuit/p2p/${peer}`)))
}
const connectTo = async (text) => {
  const known = node.getPeers().find((peer) => peer.toString() === text)
  return known ? connect(known) : node.dial(multiaddr(`${bridge}/p2p-circuit/p2p/${text}`))
}

const acts = {
  async say(text) {
    const { recipients } = await pubsub.publish(CHAT, new TextEncoder().encode(text))
    print({ event: 'said', recipients: recipients.length })
  },
  async tell({ to, text }) {
    const stream = await (await connectTo(to)).newStream(DM_PROTOCOL, limited)
    const frames = lpStream(stream)
    await frames.write(Buffer.concat([field(1, metadata()), field(2, text), field(3, 'text/plain')]))
    const answer = readFields((await frames.read()).subarray())
    await stream.close()
    print({ event: 'answered', status: answer[2], metadata: answer[1] !== undefined })
  },
  async offer({ id, bytes }) {
    files.set(id, Buffer.from(bytes, 'base64'))
    await pubsub.publish(FILES, new TextEncoder().encode(id))
  },
  async fetch({ from, id }) {
    const stream = await (await connectTo(from)).newStream(FILE_PROTOCOL, limited)
    const frames = lpStream(stream)
    await frames.write(new TextEncoder().encode(id))
    const body = (await frames.read()).subarray()
    print({ event: 'fetched', id, size: body.length, sha256: createHash('sha256').update(body).digest('hex') })
  },
}

for (const topic of [CHAT, FILES]) pubsub.subscribe(topic)
await node.dial(multiaddr(bridge))
print({ event: 'connected', self: node.peerId.toString() })
const watching = setInterval(() => {
  if (![CHAT, FILES].every((topic) => pubsub.getSubscribers(topic).length > 0)) return
  clearInterval(watching)
  print({ event: 'joined' })
}, 50)

for await (const line of createInterface({ input: process.stdin })) {
  const [[act, value]] = Object.entries(JSON.parse(line))
  await acts[act](value).catch((error) => print({ event: 'failed', act, reason: String(error) }))
}
clearInterval(watching)
await node.stop()
process.exit(0)
