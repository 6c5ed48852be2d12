/**
 * Asks a relay for a reservation as the specification says (circuit-relay-v2, HOP RESERVE), byte by byte and without any code of ours, so that the
 * status itself can be seen. Argument: the relay's address. Prints one JSON line {status}: 100 is OK, 200 to 204 are refusals.
 */
import { noise } from '@libp2p/noise'
import { yamux } from '@libp2p/yamux'
import { identify } from '@libp2p/identify'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const node = await createLibp2p({
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify() },
})
const connection = await node.dial(multiaddr(process.argv[2]))
const frames = lpStream(await connection.newStream('/libp2p/circuit/relay/0.2.0/hop'))
// HopMessage { type: RESERVE = 0 }
await frames.write(Uint8Array.of(0x08, 0x00))
const answer = (await frames.read()).subarray()
process.stdout.write(`${JSON.stringify({ status: statusOf(answer) })}\n`)
await node.stop()
process.exit(0)

/** Field 5 of HopMessage, a varint. Other fields are skipped by their wire type (varint or bytes). */
function statusOf(message) {
  let offset = 0
  const varint = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = message[offset++]
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
  }
  while (offset < message.length) {
    const key = varint()
    const value = varint()
    if (key >> 3 === 5) return value
    if ((key & 7) === 2) offset += value
  }
  return undefined
}
