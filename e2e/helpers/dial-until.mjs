/**
 * A stock js-libp2p peer that dials a virtual peer again and again. On each line of its standard input it begins: new dials, one after another,
 * until one carries a ping; then it prints how long that took since the line came.
 */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { createInterface } from 'node:readline'

/** A dial that meets a reservation whose owner has vanished is not answered. */
const TRY_MS = 600
const PAUSE_MS = 25

const node = await createLibp2p({
  transports: [tcp(), circuitRelayTransport()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionManager: { reconnectRetries: 0 },
  connectionMonitor: { enabled: false },
  services: { identify: identify(), ping: ping() },
})
const address = multiaddr(process.argv[2])
process.stdout.write(`${JSON.stringify({ event: 'ready' })}\n`)

for await (const line of createInterface({ input: process.stdin })) {
  const startedAt = performance.now()
  let tries = 0
  for (;;) {
    for (const connection of node.getConnections()) connection.abort(new Error('a new dial'))
    tries++
    try {
      const signal = AbortSignal.timeout(TRY_MS)
      await node.dial(address, { signal })
      await node.services.ping.ping(address, { signal })
      break
    } catch {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
  }
  process.stdout.write(`${JSON.stringify({ event: 'dialled', line, ms: Math.round(performance.now() - startedAt), tries })}\n`)
}
