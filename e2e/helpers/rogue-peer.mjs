/**
 * A native peer that lies: it offers a file that somebody really has and answers every request for a block of it with other bytes of the same length
 * class. It uses no code of ours. Arguments: circuit address of the victim, then the offer as JSON {cid, name, size, media}.
 * Prints JSON lines: `connected`, `offered`, `lied` for each corrupt block that was asked for.
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

const limited = { runOnLimitedConnection: true }
const print = (event) => process.stdout.write(`${JSON.stringify(event)}\n`)
const WANT = 1
const BLOCK = 2

const node = await createLibp2p({
  transports: [tcp(), circuitRelayTransport()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), ping: ping() },
})

await node.handle(
  '/footbridge/blob/1.0.0',
  async (stream) => {
    const frames = lpStream(stream)
    while (true) {
      const frame = (await frames.read().catch(() => undefined))?.subarray()
      if (frame === undefined || frame[0] !== WANT) return
      // The request number is a varint: copy its bytes as they are.
      const numberEnd = 2 + frame.subarray(1).findIndex((byte) => byte < 0x80)
      const corrupt = new Uint8Array(1024).fill(0x66)
      await frames.write(Uint8Array.from([BLOCK, ...frame.subarray(1, numberEnd), ...corrupt]))
      print({ event: 'lied' })
    }
  },
  limited,
)
// The victim may speak to us, as to anybody: acknowledge, so that nothing but the blocks is wrong.
await node.handle(
  '/footbridge/message/1.0.0',
  async (stream) => {
    const frames = lpStream(stream)
    for (;;) {
      const frame = await frames.read().catch(() => undefined)
      if (frame === undefined) return
      const { type, id } = JSON.parse(new TextDecoder().decode(frame.subarray()))
      if (type !== 'profile') await frames.write(new TextEncoder().encode(JSON.stringify({ type: 'ack', id })))
    }
  },
  limited,
)

const connection = await node.dial(multiaddr(process.argv[2]))
print({ event: 'connected', self: node.peerId.toString() })
const outbox = lpStream(await connection.newStream('/footbridge/message/1.0.0', limited))
const offer = { type: 'file', id: crypto.randomUUID(), at: Date.now(), ...JSON.parse(process.argv[3]) }
await outbox.write(new TextEncoder().encode(JSON.stringify(offer)))
const answer = JSON.parse(new TextDecoder().decode((await outbox.read()).subarray()))
print({ event: 'offered', answer: answer.type })
// Stays until its standard input ends, so that it cannot outlive the test.
process.stdin.resume().once('end', () => process.exit(0))
