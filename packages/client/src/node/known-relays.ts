/**
 * libp2p's circuit transport, which takes circuits from the relays that this device has asked for a reservation and from nobody else. By itself it answers whoever opens a STOP stream,
 * and for everybody without a reservation of ours it first makes a listener that is never removed, and tries to reserve there: whoever is connected could fill the memory, and choose
 * the relays (docs/upstream/stop-leaves-a-listener.md).
 * Not here: making the reservation (reserve.ts). The bridge's own: apps/bridge/src/node/circuit-transport.ts.
 */
import type { CircuitRelayTransportComponents } from '@libp2p/circuit-relay-v2'
import type { StreamHandler, Transport } from '@libp2p/interface'
import { wrappingHandlers } from '@footbridge/protocols/service/replacing'

const STOP_PROTOCOL = '/libp2p/circuit/relay/0.2.0/stop'
/** STATUS, PERMISSION_DENIED, with its length before it. */
const DENIED = Uint8Array.of(5, 0x08, 0x01, 0x20, 0xca, 0x01)
/** How long a refused stream may stay open: relays close at once. */
const ANSWER_MS = 10_000

type CreateTransport = (components: CircuitRelayTransportComponents) => Transport

/** @param isKnown asked for each circuit, with the PeerID of who brings it. */
export function fromKnownRelays(create: CreateTransport, isKnown: (peer: string) => boolean): CreateTransport {
  const guard =
    (onStop: StreamHandler): StreamHandler =>
    async (stream, connection) => {
      if (isKnown(connection.remotePeer.toString())) return onStop(stream, connection)
      stream.send(DENIED)
      await stream.close({ signal: AbortSignal.timeout(ANSWER_MS) })
      if (stream.status === 'open') stream.abort(new Error('no circuits from here'))
    }
  return (components) =>
    create(wrappingHandlers(components, (handler, protocol) => (protocol === STOP_PROTOCOL ? guard(handler) : handler)))
}
