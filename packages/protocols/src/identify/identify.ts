/**
 * libp2p's identify, forbearing with what rust-libp2p sends. Stock js-libp2p throws away the whole answer, protocols and all, for an observed address that begins with no
 * IP (over a circuit Rust observes `/p2p/<peer>` and nothing before it), and for a signed record in the older of the two envelopes; and over WebRTC-direct it tells of the
 * answer only when Rust has acknowledged the end of the stream, which it never does. Here such an address and such a record are left out, the stream ends behind the
 * caller's back, and the answer counts. Everything else is the stock service's, its refusals too.
 * Reports: docs/upstream/identify-observed-address.md, docs/upstream/rust-webrtc-direct.md.
 */
import { identify as stock, type Identify } from '@libp2p/identify'
import type { AbortOptions, Connection, Stream } from '@libp2p/interface'
import { PeerRecord, RecordEnvelope } from '@libp2p/peer-record'
import { CODE_IP4, CODE_IP6, CODE_IP6ZONE, multiaddr } from '@multiformats/multiaddr'

/** For an end of the stream that is acknowledged; then it is reset. */
const CLOSE_MS = 1_000
const IPS: readonly number[] = [CODE_IP4, CODE_IP6, CODE_IP6ZONE]

interface Answer {
  readonly observedAddr?: Uint8Array
  readonly signedPeerRecord?: Uint8Array
}

/** What is changed of the service beside its interface; identify.test.ts fails when a new version renames it. */
interface Inner {
  _identify(connection: Pick<Connection, 'newStream' | 'remoteAddr'>, options?: AbortOptions): Promise<Answer>
}

/** For libp2p's `services`, as the stock one. */
export function identify(...init: Parameters<typeof stock>): ReturnType<typeof stock> {
  const create = stock(...init)
  return (components) => {
    const service = create(components) as Identify & Inner
    const ask = service._identify.bind(service)
    service._identify = async (connection, options) => {
      const newStream: Connection['newStream'] = async (...args) => impatient(await connection.newStream(...args))
      return usable(await ask({ newStream, remoteAddr: connection.remoteAddr }, options))
    }
    return service
  }
}

function usable(answer: Answer): Answer {
  const { observedAddr, signedPeerRecord, ...rest } = answer
  return {
    ...rest,
    ...(observedAddr !== undefined && beginsWithIp(observedAddr) && { observedAddr }),
    ...(signedPeerRecord !== undefined && isStandard(signedPeerRecord) && { signedPeerRecord }),
  }
}

function beginsWithIp(bytes: Uint8Array): boolean {
  try {
    return IPS.includes(multiaddr(bytes).getComponents()[0]?.code ?? -1)
  } catch {
    return false
  }
}

/** By the type of what is inside; whether the signature holds is for the stock service. */
function isStandard(bytes: Uint8Array): boolean {
  const { payloadType } = RecordEnvelope.createFromProtobuf(bytes)
  return payloadType.length === PeerRecord.CODEC.length && payloadType.every((byte, index) => byte === PeerRecord.CODEC[index])
}

/** Its close() asks for the end and does not wait for it. */
function impatient(stream: Stream): Stream {
  const close = stream.close.bind(stream)
  stream.close = async () =>
    void close({ signal: AbortSignal.timeout(CLOSE_MS) }).catch(() => stream.abort(new Error('the identify stream did not close')))
  return stream
}
