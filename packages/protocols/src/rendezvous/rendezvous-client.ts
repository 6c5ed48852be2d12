/**
 * Asks rendezvous points: one request on one stream, half-closed after it, whatever implementation is at the other end. Rules C1 to C10 of SPEC.md.
 *
 *     const client = createRendezvousClient({ node, privateKey, addresses: () => node.getMultiaddrs() })
 *     const { ttlSeconds } = await client.register(point, 'footbridge')
 *     const { found, cookie } = await client.discover(point, { namespace: 'footbridge' })
 *
 * Not here: when to ask again, and what becomes of the peers that were found.
 */
import type { Libp2p, PeerId, PrivateKey, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { FootbridgeError } from '@footbridge/shared/errors'
import { signRecords } from '../announce/signed-records.ts'
import { withDeadline } from '../deadline.ts'
import { frameStream, type FrameStream } from '../frame-stream.ts'
import { openEitherRecord, type RecordForm } from './records.ts'
import { errorOfStatus, RendezvousError } from './rendezvous-error.ts'
import {
  decodeMessage,
  encodeMessage,
  MAX_ANSWER_BYTES,
  RENDEZVOUS_PROTOCOL,
  STATUS,
  type DiscoverAnswer,
  type RegisterAnswer,
  type Registration,
  type RendezvousMessage,
  type RendezvousRequest,
} from './wire.ts'

/** Of a whole call, with the dial: a relayed point on a slow network needs most of it. */
const DEFAULT_TIMEOUT_MS = 20_000
/** How long a point may take to close its end after the answer, or after an UNREGISTER, which has none. */
const LINGER_MS = 2_000
/** What a point that names none has promised: the specification's default. */
const DEFAULT_TTL_SECONDS = 2 * 3600

export type Point = PeerId | Multiaddr | Multiaddr[]

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number
}

export interface RegisterOptions extends CallOptions {
  /** What to ask for; the point's answer is what counts. */
  readonly ttlSeconds?: number
  /** The form that this point took before; the other is tried when it does not take it now. */
  readonly form?: RecordForm
}

export interface Registered {
  readonly ttlSeconds: number
  /** That the point took. */
  readonly form: RecordForm
}

export interface DiscoverOptions extends CallOptions {
  /** Undefined: all. */
  readonly namespace?: string
  readonly limit?: number
  /** Of the answer before, of the same point and namespace: only what is new since. */
  readonly cookie?: Uint8Array | undefined
}

export interface Found {
  readonly peer: PeerId
  readonly namespace: string
  readonly addresses: readonly Multiaddr[]
  readonly seq: bigint
  readonly ttlSeconds: number
  /** As the peer signed it. */
  readonly record: Uint8Array
}

export interface Discovered {
  /** One for each peer and namespace, each of a record that its peer has signed. */
  readonly found: readonly Found[]
  /** Undefined when the point gave none: the next call gets everything again. */
  readonly cookie: Uint8Array | undefined
  /** How many registrations the answer had, the unreadable ones too: fewer than asked for is the last page. */
  readonly received: number
}

/** Every call throws RendezvousError when the point refuses, and FootbridgeError `timeout`, `aborted`, `peer_unreachable`, `protocol_violation` or `too_large`. */
export interface RendezvousClient {
  register(point: Point, namespace: string, options?: RegisterOptions): Promise<Registered>
  /** Resolves when it was sent; there is no answer. */
  unregister(point: Point, namespace: string, options?: CallOptions): Promise<void>
  discover(point: Point, options?: DiscoverOptions): Promise<Discovered>
}

export interface RendezvousClientOptions {
  readonly node: Pick<Libp2p, 'dialProtocol'>
  readonly privateKey: PrivateKey
  /** What a registration says, without our own `/p2p/` at the end. */
  readonly addresses: () => readonly Multiaddr[]
  /** Milliseconds since the epoch. */
  readonly clock?: () => number
}

export function createRendezvousClient({ node, privateKey, addresses, clock = Date.now }: RendezvousClientOptions): RendezvousClient {
  let lastSeq = 0n

  /** Above every one before it, also when the clock was set back. */
  const nextSeq = (): bigint => {
    const now = BigInt(clock())
    lastSeq = now > lastSeq ? now : lastSeq + 1n
    return lastSeq
  }

  const open = async (point: Point, signal: AbortSignal): Promise<Stream> => {
    try {
      return await node.dialProtocol(point, RENDEZVOUS_PROTOCOL, { signal, runOnLimitedConnection: true })
    } catch (cause) {
      if (signal.aborted) throw signal.reason
      if (cause instanceof Error && cause.name === 'UnsupportedProtocolError')
        throw new RendezvousError('unsupported', 'the peer is no rendezvous point', { cause })
      throw new FootbridgeError('peer_unreachable', 'the rendezvous point cannot be reached', { cause })
    }
  }

  const withStream = async <Result>(
    point: Point,
    { signal, timeoutMs = DEFAULT_TIMEOUT_MS }: CallOptions,
    use: (stream: Stream, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> =>
    withDeadline({ timeoutMs, what: 'the rendezvous point', signal }, async (inner) => {
      const stream = await open(point, inner)
      // One that does not listen to its signal must not be left behind at the deadline.
      const abort = (): void => stream.abort(new FootbridgeError('aborted', 'the call to the rendezvous point is over'))
      inner.addEventListener('abort', abort, { once: true })
      try {
        return await use(stream, inner)
      } catch (error) {
        abort()
        throw error
      } finally {
        inner.removeEventListener('abort', abort)
      }
    })

  /** @returns undefined when the stream ended before an answer. */
  const ask = async (point: Point, request: RendezvousRequest, options: CallOptions): Promise<RendezvousMessage | undefined> =>
    withStream(point, options, async (stream, signal) => {
      const frames = frameStream(stream, { maxFrameBytes: MAX_ANSWER_BYTES })
      const bytes = await sendAndRead(stream, frames, request, signal)
      await linger(stream, frames, signal)
      return bytes === undefined ? undefined : decodeMessage(bytes)
    })

  const registerAs = async (point: Point, namespace: string, form: RecordForm, options: RegisterOptions): Promise<Registered> => {
    const { envelope, legacy } = await signRecords(privateKey, addresses(), nextSeq())
    const request: RendezvousRequest = {
      type: 'register',
      namespace,
      record: form === 'standard' ? envelope : legacy,
      ttlSeconds: options.ttlSeconds,
    }
    const { ttlSeconds = options.ttlSeconds ?? DEFAULT_TTL_SECONDS } = expectAnswer(await ask(point, request, options), 'register-answer')
    return { ttlSeconds, form }
  }

  return {
    async register(point, namespace, options = {}) {
      const { form = 'standard' } = options
      try {
        return await registerAs(point, namespace, form, options)
      } catch (error) {
        if (!isRecordFault(error)) throw error
        return await registerAs(point, namespace, form === 'standard' ? 'legacy' : 'standard', options)
      }
    },
    unregister: (point, namespace, options = {}) =>
      withStream(point, options, async (stream, signal) => {
        const frames = frameStream(stream, { maxFrameBytes: MAX_ANSWER_BYTES })
        await frames.write([encodeMessage({ type: 'unregister', namespace })], signal)
        await stream.close({ signal })
        await linger(stream, frames, signal)
      }),
    async discover(point, options = {}) {
      const { namespace, limit, cookie } = options
      const request: RendezvousRequest = { type: 'discover', namespace, limit, cookie }
      const answer = expectAnswer(await ask(point, request, options), 'discover-answer')
      return { found: await openAll(answer.registrations, namespace), cookie: answer.cookie, received: answer.registrations.length }
    },
  }
}

/** Until the point has closed its end too. However that ends, and if it does not: the point had the request, and we its answer. */
async function linger(stream: Stream, frames: FrameStream, signal: AbortSignal): Promise<void> {
  await withDeadline({ timeoutMs: LINGER_MS, what: 'the end of the stream', signal }, (inner) => frames.read(inner)).catch(() => undefined)
  if (stream.status === 'open') stream.abort(new FootbridgeError('timeout', 'the point did not close the stream'))
}

async function sendAndRead(
  stream: Stream,
  frames: FrameStream,
  request: RendezvousRequest,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    await frames.write([encodeMessage(request)], signal)
    await stream.close({ signal })
    return await frames.read(signal)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    // A reset is the answer of a point that cannot read the request.
    if (error instanceof FootbridgeError && error.code !== 'peer_unreachable') throw error
    return undefined
  }
}

/** @throws RendezvousError, or FootbridgeError `protocol_violation` for an answer to something else */
function expectAnswer<Type extends 'register-answer' | 'discover-answer'>(
  answer: RendezvousMessage | undefined,
  type: Type,
): Type extends 'register-answer' ? RegisterAnswer : DiscoverAnswer
function expectAnswer(answer: RendezvousMessage | undefined, type: RendezvousMessage['type']): RegisterAnswer | DiscoverAnswer {
  if (answer === undefined)
    throw new RendezvousError(
      'unsupported_or_bad_record',
      'the point closed the stream without an answer: it is none, or cannot read the request',
    )
  if (answer.type !== type || (answer.type !== 'register-answer' && answer.type !== 'discover-answer'))
    throw new FootbridgeError('protocol_violation', 'the answer is to something else')
  if (answer.status !== STATUS.ok) throw errorOfStatus(answer.status, answer.statusText)
  return answer
}

/** The point may be one that reads the other form alone. */
function isRecordFault(error: unknown): boolean {
  return error instanceof RendezvousError && (error.code === 'unsupported_or_bad_record' || error.code === 'invalid_record')
}

/** Of what a point says nothing counts that the peer itself has not signed. Of two records for one peer and namespace, the later. */
async function openAll(registrations: readonly Registration[], asked: string | undefined): Promise<Found[]> {
  const found = new Map<string, Found>()
  for (const { namespace: told = asked, record, ttlSeconds = DEFAULT_TTL_SECONDS } of registrations) {
    if (record === undefined || told === undefined) continue
    // Some points leave the namespace out of what was asked by it; one that names another answers what nobody asked.
    const namespace = told === '' ? asked : told
    if (namespace === undefined || (asked !== undefined && asked !== '' && namespace !== asked)) continue
    const opened = await openEitherRecord(record)
    if (typeof opened === 'string') continue
    const { peer, addresses, seq } = opened
    const key = `${peer.toString()} ${namespace}`
    const held = found.get(key)
    if (held === undefined || seq > held.seq) found.set(key, { peer, namespace, addresses, seq, ttlSeconds, record })
  }
  return [...found.values()]
}
