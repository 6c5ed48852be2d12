/**
 * libp2p's circuit transport, which takes circuits from the bridge's own relays and from nobody else. By itself it answers whoever opens a STOP stream, and for everybody without a
 * reservation of ours it first makes a listener that is never removed, and tries to reserve there: anybody could fill the memory, and choose the relays.
 *
 * Not here: how a reservation comes to be (circuits.ts), and the relay that the bridge is for others (relay/).
 */
import { circuitRelayTransport, type CircuitRelayTransportComponents } from '@libp2p/circuit-relay-v2'
import type { Connection, Stream, StreamHandler, Transport } from '@libp2p/interface'
import { replacing, wrappingHandlers } from '@footbridge/protocols/service/replacing'
import { MAX_PENDING_CIRCUITS, STOP_ANSWER_MS } from '../limits.ts'
import { frameMessage } from '../relay/framing.ts'
import { encodeStopMessage, STATUS, STOP_PROTOCOL, type Status } from '../relay/wire.ts'
import { reservedOn } from './circuits.ts'
import { resetAfter } from './stream-deadline.ts'

/** For libp2p's `transports`. */
export function circuitTransport(): (components: CircuitRelayTransportComponents) => Transport {
  const create = circuitRelayTransport()
  return (components) => {
    let pending = 0

    const guard =
      (onStop: StreamHandler): StreamHandler =>
      async (stream, connection) => {
        const refusal = refusalFor(connection)
        if (refusal !== undefined) return refuse(stream, refusal)
        pending++
        try {
          // Until the handshake over the circuit is done, for which libp2p has a deadline.
          await onStop(stream, connection)
        } finally {
          pending--
        }
      }

    const refusalFor = ({ remotePeer }: Connection): Status | undefined => {
      if (!reservedOn(components.transportManager.getListeners()).includes(remotePeer.toString())) return STATUS.PERMISSION_DENIED
      return pending < MAX_PENDING_CIRCUITS ? undefined : STATUS.RESOURCE_LIMIT_EXCEEDED
    }

    const guarded = wrappingHandlers(components, (handler, protocol) => (protocol === STOP_PROTOCOL ? guard(handler) : handler))
    return create(
      replacing(guarded, {
        transportManager: () =>
          replacing(components.transportManager, {
            // A relay of ours can name another one in the addresses of a reservation.
            listen: () => () => Promise.reject(new Error('the bridge reserves where it wants to')),
          }),
      }),
    )
  }
}

async function refuse(stream: Stream, status: Status): Promise<void> {
  stream.send(frameMessage(encodeStopMessage({ type: 'STATUS', status })))
  resetAfter(stream, STOP_ANSWER_MS, 'the answer was not taken, or the stream not closed after it')
  await stream.close()
}
