/**
 * A rendezvous point: serves `/rendezvous/1.0.0` and keeps registrations in memory until they end. Rules S1 to S12 of SPEC.md.
 *
 *     const server = createRendezvousServer({ policy: { scopesOf: () => [] } })
 *     await server.start(node)
 *     …
 *     await server.stop(node)
 *
 * A host that vouches for peers of its own registers them itself (`register`), with records that it has checked.
 * Not here: what is kept and when it ends (registration-book.ts), who may (the policy), the client's end (rendezvous-client.ts).
 */
import type { Connection, Libp2p, PeerId, Stream } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { FootbridgeError } from '@footbridge/shared/errors'
import { utf8Encode } from '@footbridge/shared/text-codec'
import { withDeadline } from '../deadline.ts'
import { frameStream } from '../frame-stream.ts'
import { createCookies } from './cookies.ts'
import { openEitherRecord, seqOf, type RecordForm } from './records.ts'
import { createRegistrationBook, type BookLimits, type Scope } from './registration-book.ts'
import {
  decodeMessage,
  encodeMessage,
  MAX_ANSWER_BYTES,
  MAX_NAMESPACE_BYTES,
  MAX_REQUEST_BYTES,
  RENDEZVOUS_PROTOCOL,
  STATUS,
  statusText,
  typeOf,
  type DiscoverAnswer,
  type DiscoverRequest,
  type RegisterAnswer,
  type RegisterRequest,
  type RendezvousMessage,
} from './wire.ts'
import { scheduleByTimer } from './schedule.ts'

/** Who opens a stream asks at once; who has asked may ask again within it. */
const REQUEST_TIMEOUT_MS = 10_000
/** An answer of a megabyte on a slow line. */
const ANSWER_TIMEOUT_MS = 30_000
/** Above what a client does in one stream; one that asks for ever opens another. */
const MAX_REQUESTS_PER_STREAM = 256
/** Of one connection: some questions at once, and not a flood of answers of a megabyte each. */
const MAX_STREAMS_PER_CONNECTION = 8
/** What an answer has besides its registrations. */
const ANSWER_HEAD_BYTES = 1_024
/** Registrations of one answer; the rest comes with the cookie. */
const MAX_ANSWER_REGISTRATIONS = 1_000

/** Thirty-two for one peer as other points; with the total they bound the memory: at 10 KB each, with a record at its limit. */
const DEFAULT_LIMITS: BookLimits = { perPeer: 32, perNamespace: 5_000, total: 10_000 }
/** Two minutes, not the two hours of the specification's advice: a browser is gone sooner. The other two are its own. */
const DEFAULT_TTL: TtlLimits = { minSeconds: 120, defaultSeconds: 2 * 3600, maxSeconds: 72 * 3600 }

export interface TtlLimits {
  readonly minSeconds: number
  /** For those who ask for none. */
  readonly defaultSeconds: number
  readonly maxSeconds: number
}

export interface RendezvousPolicy {
  /** Which scopes a registration of this peer counts in, beside the caps for all; undefined: it may not register here. Asked at each registration. */
  scopesOf(peer: PeerId, from: Multiaddr): readonly Scope[] | undefined
  /** Why a record of these addresses is not taken, in words; undefined takes it. A record is signed, so nothing can be left out of it. */
  refusalOf?(peer: PeerId, addresses: readonly Multiaddr[]): string | undefined
  /**
   * The only form of record that this peer can read; undefined: either. Without it who has registered in the legacy form reads nothing else.
   * @param registeredIn the only form that it has registered in
   */
  formOf?(peer: PeerId, registeredIn: RecordForm | undefined): Promise<RecordForm | undefined> | RecordForm | undefined
}

export interface RendezvousServerOptions {
  readonly policy: RendezvousPolicy
  readonly limits?: Partial<BookLimits>
  readonly ttl?: Partial<TtlLimits>
  /** Milliseconds since the epoch. */
  readonly clock?: () => number
  /** Runs something once after so many milliseconds. @returns calls it off. */
  readonly schedule?: (run: () => void, ms: number) => () => void
  readonly randomBytes?: (length: number) => Uint8Array
  /** Told of every registration over the network, made or renewed. Must not throw. */
  readonly onRegistered?: (registration: {
    readonly peer: PeerId
    readonly namespace: string
    readonly addresses: readonly Multiaddr[]
  }) => void
}

/** Since the start. */
export interface RendezvousTotals {
  /** Discoveries that were answered with registrations, though they be none, and those that were refused. */
  readonly served: number
  readonly notServed: number
  /** Made or renewed. */
  readonly registered: number
  readonly rejected: number
  /** Taken back, by the peer or by the host. */
  readonly unregistered: number
  readonly expired: number
}

/** A registration by the host, of a record that it has checked: in one form or both, of one number. */
export interface HostRegistration {
  readonly peer: string
  readonly namespace: string
  readonly ttlSeconds: number
  readonly standard?: Uint8Array
  readonly legacy?: Uint8Array
  readonly scopes?: readonly Scope[]
}

export type RendezvousNode = Pick<Libp2p, 'handle' | 'unhandle'>

export interface RendezvousServer {
  start(node: RendezvousNode): Promise<void>
  /** Idempotent. Ends every stream and forgets every registration. */
  stop(node: RendezvousNode): Promise<void>
  /** Makes or renews. @returns false when there is no room. @throws FootbridgeError `bad_request` for a namespace or a record that is none */
  register(registration: HostRegistration): boolean
  unregister(peer: string, namespace: string): void
  /** Takes the peer out of every namespace. */
  drop(peer: string): void
  totals(): RendezvousTotals
  /** Registrations that there are now. */
  size(): number
}

export function createRendezvousServer(options: RendezvousServerOptions): RendezvousServer {
  const { policy, onRegistered, clock = Date.now, schedule = scheduleByTimer, randomBytes = cryptoBytes } = options
  const formOf: NonNullable<RendezvousPolicy['formOf']> = policy.formOf?.bind(policy) ?? ((_peer, registeredIn) => onlyLegacy(registeredIn))
  const ttl = { ...DEFAULT_TTL, ...options.ttl }
  const book = createRegistrationBook({ ...DEFAULT_LIMITS, ...options.limits })
  const cookies = createCookies(randomBytes(32))
  const streams = new Set<Stream>()
  const totals = { served: 0, notServed: 0, registered: 0, rejected: 0, unregistered: 0, expired: 0 }
  let timer: { readonly at: number; readonly callOff: () => void } | undefined

  /** One timer for all: at the next end. */
  const expire = (): void => {
    totals.expired += book.expire(clock())
    const at = book.nextExpiry()
    if (timer?.at === at) return
    timer?.callOff()
    timer = at === undefined ? undefined : { at, callOff: schedule(wake, Math.max(at - clock(), 0)) }
  }
  const wake = (): void => {
    timer = undefined
    expire()
  }

  const register = async (request: RegisterRequest, { remotePeer, remoteAddr }: Connection): Promise<RegisterAnswer> => {
    const { namespace, record, ttlSeconds = ttl.defaultSeconds } = request
    if (!isNamespace(namespace)) return refused(STATUS.invalidNamespace, `a namespace has 1 to ${MAX_NAMESPACE_BYTES} bytes`)
    if (record === undefined) return refused(STATUS.invalidRecord, 'the signed peer record is missing')
    const scopes = policy.scopesOf(remotePeer, remoteAddr)
    if (scopes === undefined) return refused(STATUS.notAuthorized, 'this peer may not register here')
    if (ttlSeconds < ttl.minSeconds || ttlSeconds > ttl.maxSeconds)
      return refused(STATUS.invalidTtl, `a time to live is ${ttl.minSeconds} to ${ttl.maxSeconds} seconds`)
    const opened = await openEitherRecord(record)
    if (typeof opened === 'string') return refused(STATUS.invalidRecord, RECORD_FAULTS[opened])
    if (!opened.peer.equals(remotePeer)) return refused(STATUS.notAuthorized, 'a peer registers itself and nobody else')
    if (opened.addresses.length === 0) return refused(STATUS.invalidRecord, 'a record without an address helps nobody')
    const fault = policy.refusalOf?.(remotePeer, opened.addresses)
    if (fault !== undefined) return refused(STATUS.invalidRecord, fault)

    expire()
    const { form, seq, addresses } = opened
    const entry = {
      peer: remotePeer.toString(),
      namespace,
      seq,
      // A copy: what was read may be a view into a larger buffer.
      records: { [form]: record.slice() },
      expiresAt: clock() + ttlSeconds * 1000,
      scopes,
    }
    const done = book.register(entry, clock())
    if (done.kind === 'full') return refused(STATUS.unavailable, `no room for more registrations: ${done.scope}`)
    totals.registered++
    expire()
    onRegistered?.({ peer: remotePeer, namespace, addresses })
    return { type: 'register-answer', status: STATUS.ok, statusText: undefined, ttlSeconds }
  }

  const discover = async (request: DiscoverRequest, remotePeer: PeerId): Promise<DiscoverAnswer> => {
    const { namespace = '', limit = MAX_ANSWER_REGISTRATIONS, cookie } = request
    if (namespace !== '' && !isNamespace(namespace))
      return notServed(STATUS.invalidNamespace, `a namespace has at most ${MAX_NAMESPACE_BYTES} bytes`)
    const after = cookie === undefined ? 0 : await cookies.read(namespace, cookie)
    if (after === undefined)
      return notServed(STATUS.invalidCookie, 'the cookie is of another namespace, point or start: discover without it')
    expire()
    const { registrations, position } = book.discover(
      {
        namespace,
        after,
        limit: limit === 0 ? MAX_ANSWER_REGISTRATIONS : Math.min(limit, MAX_ANSWER_REGISTRATIONS),
        maxBytes: MAX_ANSWER_BYTES - ANSWER_HEAD_BYTES,
        form: await formOf(remotePeer, book.formOf(remotePeer.toString())),
      },
      clock(),
    )
    totals.served++
    return {
      type: 'discover-answer',
      registrations,
      cookie: await cookies.make(namespace, position),
      status: STATUS.ok,
      statusText: undefined,
    }
  }

  const unregister = (peer: string, namespace: string): void => {
    // As the specification's other implementations have it: none, or an empty one, is all of them.
    totals.unregistered += namespace === '' ? book.drop(peer) : Number(book.unregister(peer, namespace))
    expire()
  }

  const refused = (status: number, text: string): RegisterAnswer => {
    totals.rejected++
    return { type: 'register-answer', status, statusText: statusText(text), ttlSeconds: undefined }
  }

  const notServed = (status: number, text: string): DiscoverAnswer => {
    totals.notServed++
    return { type: 'discover-answer', registrations: [], cookie: undefined, status, statusText: statusText(text) }
  }

  /** @throws FootbridgeError for what has no answer. */
  const respond = async (bytes: Uint8Array, connection: Connection): Promise<RendezvousMessage | undefined> => {
    let message: RendezvousMessage
    try {
      message = decodeMessage(bytes)
    } catch (error) {
      const text = error instanceof Error ? error.message : 'the message cannot be read'
      const type = typeOf(bytes)
      if (type === 'register') return refused(STATUS.invalidRecord, text)
      if (type === 'discover') return notServed(STATUS.invalidNamespace, text)
      throw error
    }
    switch (message.type) {
      case 'register':
        return register(message, connection)
      case 'discover':
        return discover(message, connection.remotePeer)
      case 'unregister':
        unregister(connection.remotePeer.toString(), message.namespace ?? '')
        return undefined
      case 'register-answer':
      case 'discover-answer':
        throw new FootbridgeError('protocol_violation', 'an answer where a request was due')
    }
  }

  const serve = async (stream: Stream, connection: Connection): Promise<void> => {
    streams.add(stream)
    stream.addEventListener('close', () => streams.delete(stream), { once: true })
    const frames = frameStream(stream, { maxFrameBytes: MAX_REQUEST_BYTES })
    try {
      for (let count = 0; ; count++) {
        const request = await withDeadline({ timeoutMs: REQUEST_TIMEOUT_MS, what: 'the request' }, (signal) => frames.read(signal))
        if (request === undefined) break
        if (count >= MAX_REQUESTS_PER_STREAM) throw new FootbridgeError('rate_limited', 'too many requests on one stream')
        const answer = await respond(request, connection)
        if (answer === undefined) continue
        await withDeadline({ timeoutMs: ANSWER_TIMEOUT_MS, what: 'answering' }, (signal) => frames.write([encodeMessage(answer)], signal))
      }
      await withDeadline({ timeoutMs: ANSWER_TIMEOUT_MS, what: 'closing the stream' }, (signal) => stream.close({ signal }))
    } catch (cause) {
      stream.abort(cause instanceof Error ? cause : new FootbridgeError('internal', 'the rendezvous broke', { cause }))
    }
  }

  return {
    async start(node) {
      await node.handle(RENDEZVOUS_PROTOCOL, serve, { maxInboundStreams: MAX_STREAMS_PER_CONNECTION, runOnLimitedConnection: true })
    },
    async stop(node) {
      timer?.callOff()
      timer = undefined
      await node.unhandle(RENDEZVOUS_PROTOCOL)
      for (const stream of streams) stream.abort(new FootbridgeError('unavailable', 'the rendezvous is stopping'))
      book.expire(Infinity)
    },
    register({ peer, namespace, ttlSeconds, standard, legacy, scopes = [] }) {
      const record = standard ?? legacy
      if (!isNamespace(namespace) || record === undefined)
        throw new FootbridgeError('bad_request', 'a registration needs a namespace and a record')
      expire()
      const records = { ...(standard && { standard }), ...(legacy && { legacy }) }
      const entry = { peer, namespace, seq: numberOf(record), records, expiresAt: clock() + ttlSeconds * 1000, scopes }
      const done = book.register(entry, clock()).kind === 'registered'
      totals[done ? 'registered' : 'rejected']++
      expire()
      return done
    },
    unregister,
    drop: (peer) => unregister(peer, ''),
    totals: () => ({ ...totals }),
    size: () => book.size(),
  }
}

const RECORD_FAULTS = {
  malformed: 'that is no signed peer record',
  signature: 'the signature of the record does not hold',
  peer: 'the record is signed by another peer than it names',
} as const

function isNamespace(namespace: string | undefined): namespace is string {
  return namespace !== undefined && namespace !== '' && utf8Encode(namespace).length <= MAX_NAMESPACE_BYTES
}

/** Who registers in the legacy form reads no other; who registers in the standard one may read both. */
function onlyLegacy(form: RecordForm | undefined): RecordForm | undefined {
  return form === 'legacy' ? form : undefined
}

function numberOf(record: Uint8Array): bigint {
  try {
    return seqOf(record)
  } catch (cause) {
    throw new FootbridgeError('bad_request', 'that is no signed peer record', { cause })
  }
}

function cryptoBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length))
}
