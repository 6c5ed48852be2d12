/** The stock relay as a process of its own: js-libp2p as its documents set it up, over WebSocket, and nothing else. Started by stock.ts. */
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'

/** Above everything that the bench does. */
const ENOUGH = 20_000

const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0/ws'] },
  transports: [webSockets()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux({ maxInboundStreams: ENOUGH, maxOutboundStreams: ENOUGH })],
  connectionManager: { maxConnections: ENOUGH, maxIncomingPendingConnections: ENOUGH, inboundConnectionThreshold: ENOUGH },
  // It would end connections whose ping is late because the relay is busy, and their reservations with them.
  connectionMonitor: { abortConnectionOnPingFailure: false },
  services: {
    identify: identify(),
    ping: ping(),
    relay: circuitRelayServer({
      maxInboundHopStreams: ENOUGH,
      maxOutboundStopStreams: ENOUGH,
      reservations: { maxReservations: ENOUGH, applyDefaultLimit: false },
    }),
  },
})
process.send?.({ ready: node.getMultiaddrs()[0]?.toString() })
process.once('SIGTERM', () => process.exit(0))
