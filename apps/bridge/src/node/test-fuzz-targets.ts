/**
 * For tests: every protocol of the bridge's node, who sends bad messages on it, what they send, and what may be answered. fuzz.test.ts fails when one is missing here.
 * Not here: how they are sent: straight into the handlers (fuzz.test.ts), or over real connections (fuzz-live.test.ts).
 */
import { generateKeyPair } from '@libp2p/crypto/keys'
import { multiaddr } from '@multiformats/multiaddr'
import { signRecords } from '@footbridge/protocols/announce/signed-records'
import type { FuzzTarget } from '@footbridge/protocols/fuzz/test-fuzz'
import * as messages from '@footbridge/protocols/fuzz/test-messages'
import { mutate } from '@footbridge/protocols/fuzz/test-mutations'
import { decodeMessage, encodeMessage, RENDEZVOUS_PROTOCOL, STATUS as RENDEZVOUS_STATUS } from '@footbridge/protocols/rendezvous/wire'
import { readFields } from '@footbridge/protocols/uc-wire/fields'
import { ANNOUNCE_PROTOCOL, CONTROL_PROTOCOL, PRESENCE_PROTOCOL } from '@footbridge/shared/protocol-ids'
import { decodeAnnounceFrame } from '@footbridge/shared/wire/announce-frame'
import { decodeControlFrame } from '@footbridge/shared/wire/control-frame'
import { decodePresenceFrame } from '@footbridge/shared/wire/presence-frame'
import {
  decodeHopMessage,
  decodeStopMessage,
  encodeHopMessage,
  HOP_PROTOCOL,
  MAX_RELAY_MESSAGE_BYTES,
  STATUS,
  STOP_PROTOCOL,
} from '../relay/wire.ts'

/** Peers that send: with no session, with one, or a relay on which the bridge has reserved. */
export type Sender = 'stranger' | 'session' | 'relay of its own'

export interface BridgeTarget {
  readonly protocol: string
  readonly by: Sender
  readonly make: messages.MakeInput
  readonly done?: FuzzTarget['done']
}

export const KAD_PROTOCOLS = ['/ipfs/kad/1.0.0', '/calimero/kad/1.0.0']
/** The newest: on it nothing makes gossipsub forget the peer. */
const KEPT_GOSSIP = '/meshsub/1.2.0'
const GOSSIP_PROTOCOLS = ['/floodsub/1.0.0', '/meshsub/1.0.0', '/meshsub/1.1.0', KEPT_GOSSIP]

/** What libp2p keeps of a stream that nobody reads. */
const MAX_UNREAD_BYTES = 4 * 1024 * 1024

/** Gossipsub leaves its own side of a peer's last stream open, until that peer opens another or goes. */
const untilTurned = (): Promise<unknown> => new Promise((resolve) => setImmediate(resolve))
/** Whoever accepts a circuit then waits for its handshake, which does not come. */
const untilAnswered: FuzzTarget['done'] = (stream, handled) => Promise.race([stream.heard, Promise.all([stream.closed, handled])])

const foreign = await signRecords(await generateKeyPair('Ed25519'), [multiaddr('/ip4/192.0.2.1/tcp/4001')], 1n)

export const LIBP2P_TARGETS: readonly BridgeTarget[] = [
  ...KAD_PROTOCOLS.map((protocol): BridgeTarget => ({
    protocol,
    by: 'stranger',
    make: messages.spoiled(messages.kademlia, messages.framesOf),
  })),
  { protocol: '/libp2p/autonat/1.0.0', by: 'stranger', make: messages.spoiled(messages.autoNat, neverReached) },
  { protocol: '/libp2p/autonat/2/dial-request', by: 'stranger', make: messages.spoiled(messages.autoNatDialRequest, messages.framesOf) },
  { protocol: '/libp2p/autonat/2/dial-back', by: 'stranger', make: messages.spoiled(messages.autoNatDialBack, messages.framesOf) },
  { protocol: '/ipfs/ping/1.0.0', by: 'stranger', make: messages.spoiled(messages.noise, sameAsSent) },
  { protocol: '/ipfs/id/1.0.0', by: 'stranger', make: messages.spoiled(messages.noise, saysWhoItIs) },
  { protocol: '/ipfs/id/push/1.0.0', by: 'stranger', make: messages.spoiled(messages.identifyPush, nothing) },
  { protocol: '/libp2p/dcutr', by: 'stranger', make: messages.spoiled(messages.dcutr, messages.framesOf) },
  ...GOSSIP_PROTOCOLS.map((protocol): BridgeTarget => ({
    protocol,
    by: 'stranger',
    make: protocol === KEPT_GOSSIP ? messages.wholeFrames(messages.gossip) : messages.spoiled(messages.gossip, nothing),
    done: untilTurned,
  })),
  { protocol: STOP_PROTOCOL, by: 'stranger', make: messages.spoiled(messages.stop, stopAnswers([STATUS.PERMISSION_DENIED])) },
  {
    protocol: STOP_PROTOCOL,
    by: 'relay of its own',
    make: messages.spoiled(
      messages.stop,
      stopAnswers([STATUS.OK, STATUS.MALFORMED_MESSAGE, STATUS.UNEXPECTED_MESSAGE, STATUS.RESOURCE_LIMIT_EXCEEDED]),
    ),
    done: untilAnswered,
  },
]

export const OWN_TARGETS: readonly BridgeTarget[] = [
  { protocol: HOP_PROTOCOL, by: 'stranger', make: hop },
  { protocol: RENDEZVOUS_PROTOCOL, by: 'stranger', make: rendezvous },
  ...[CONTROL_PROTOCOL, PRESENCE_PROTOCOL, ANNOUNCE_PROTOCOL].map((protocol): BridgeTarget => ({
    protocol,
    by: 'stranger',
    make: messages.spoiled(() => hello(protocol), nothing),
  })),
  { protocol: CONTROL_PROTOCOL, by: 'session', make: jsonFrames(CONTROL_PROTOCOL, decodeControlFrame) },
  { protocol: PRESENCE_PROTOCOL, by: 'session', make: jsonFrames(PRESENCE_PROTOCOL, decodePresenceFrame) },
  { protocol: ANNOUNCE_PROTOCOL, by: 'session', make: jsonFrames(ANNOUNCE_PROTOCOL, decodeAnnounceFrame) },
]

/** Without a session and without a reservation to go to, nothing is granted; what is whole and wrong is told what is wrong with it. */
function hop(...[random, id]: Parameters<messages.MakeInput>): ReturnType<messages.MakeInput> {
  const owed = (status: number) => (answer: Uint8Array) => {
    const [only, ...more] = messages.framesOf(answer).map(decodeHopMessage)
    if (only?.type !== 'STATUS' || only.status !== status || more.length > 0)
      throw new Error(`answered ${String(only?.status)} where the specification has ${status}`)
  }
  const refused = (answer: Uint8Array): void => {
    for (const { type, status } of messages.framesOf(answer).map(decodeHopMessage))
      if (type !== 'STATUS' || status === STATUS.OK || status === undefined) throw new Error(`answered ${String(type)} ${String(status)}`)
  }
  const connect = encodeHopMessage({ type: 'CONNECT', peer: { id, addrs: [] } })
  switch (random.below(8)) {
    case 0:
      return {
        bytes: messages.framed(Uint8Array.of(0xff, 0xff, ...random.bytes(20))),
        end: 'answered',
        check: owed(STATUS.MALFORMED_MESSAGE),
      }
    case 1:
      return {
        bytes: messages.framed(new Uint8Array(MAX_RELAY_MESSAGE_BYTES + 1 + random.below(4_000))),
        end: 'answered',
        check: owed(STATUS.MALFORMED_MESSAGE),
      }
    case 2: // Cut off, then the end.
      return {
        bytes: messages.framed(connect).slice(0, 1 + random.below(connect.length)),
        end: 'close',
        check: owed(STATUS.MALFORMED_MESSAGE),
      }
    case 3:
      return {
        bytes: messages.framed(encodeHopMessage({ type: 'STATUS', status: random.below(999) })),
        end: 'answered',
        check: owed(STATUS.UNEXPECTED_MESSAGE),
      }
    case 4:
      return { bytes: messages.framed(encodeHopMessage({})), end: 'answered', check: owed(STATUS.MALFORMED_MESSAGE) }
    case 5:
      return { bytes: messages.framed(encodeHopMessage({ type: 'RESERVE' })), end: 'answered', check: owed(STATUS.PERMISSION_DENIED) }
    default:
      return messages.spoiled(() => connect, refused)(random, id)
  }
}

function rendezvous(...[random, id]: Parameters<messages.MakeInput>): ReturnType<messages.MakeInput> {
  const owed = (type: 'register-answer' | 'discover-answer', status: number) => (answer: Uint8Array) => {
    const [only, ...more] = messages.framesOf(answer).map(decodeMessage)
    if (only?.type !== type || only.status !== status || more.length > 0)
      throw new Error(`answered ${JSON.stringify(only)} where the specification has ${type} ${status}`)
  }
  const register = { type: 'register', namespace: 'meadow', record: foreign.envelope, ttlSeconds: 7_200 } as const
  const discover = { type: 'discover', namespace: 'meadow', limit: undefined, cookie: undefined } as const
  const long = 'x'.repeat(256 + random.below(300))
  const garbage = random.bytes(random.below(300))
  const { invalidNamespace, invalidRecord, invalidTtl, invalidCookie, notAuthorized } = RENDEZVOUS_STATUS
  const [message, check] = random.pick([
    [{ ...register, namespace: random.pick([undefined, '', long]) }, owed('register-answer', invalidNamespace)],
    [{ ...register, record: random.pick([undefined, garbage]) }, owed('register-answer', invalidRecord)],
    [{ ...register, ttlSeconds: random.pick([0, 119, 259_201, 2 ** 50]) }, owed('register-answer', invalidTtl)],
    [register, owed('register-answer', notAuthorized)],
    [{ ...discover, namespace: long }, owed('discover-answer', invalidNamespace)],
    [{ ...discover, cookie: garbage }, owed('discover-answer', invalidCookie)],
    [{ type: 'unregister', namespace: random.pick([undefined, '', 'meadow', long]) }, nothing],
    // An answer where a request was due.
    [{ type: 'register-answer', status: 0, statusText: undefined, ttlSeconds: 7_200 }, nothing],
  ] as const)
  if (random.below(2) === 0) return { bytes: messages.framed(encodeMessage(message)), end: 'close', check }
  const framesOnly = (answer: Uint8Array): void => messages.framesOf(answer).forEach(decodeMessage)
  return messages.spoiled(() => encodeMessage(message), framesOnly)(random, id)
}

/** The first frame of each, which the rest is spoiled from. */
function hello(protocol: string): Uint8Array {
  const frame =
    protocol === CONTROL_PROTOCOL
      ? { type: 'hello', now: 1 }
      : protocol === PRESENCE_PROTOCOL
        ? { type: 'hello', name: 'Mallory', device: 'browser' }
        : { type: 'visible', visibility: 'bridge' }
  return Buffer.from(JSON.stringify(frame))
}

/** What a session says on a protocol of ours. A right beginning is answered; what no frame can be read from is not. */
function jsonFrames(protocol: string, decode: (bytes: Uint8Array) => object | undefined): messages.MakeInput {
  const right = hello(protocol)
  const answered = (answer: Uint8Array): void => {
    if (messages.framesOf(answer).map(decode).length === 0) throw new Error('a right frame was not answered')
  }
  const readable = (answer: Uint8Array): void => {
    for (const frame of messages.framesOf(answer)) decode(frame)
  }
  return (random, id) => {
    const other = random.pick<object | null | number>([
      { type: 'weather', rain: true },
      { type: 'record', envelope: 'AAAA', legacy: 'AAAA' },
      { type: 'visible', visibility: random.pick(['nobody', 'bridge', 'network', 'all']) },
      { type: 'hello', now: random.pick([-1, 1e300]), name: 'x'.repeat(random.below(100)), device: 'fridge' },
      { __proto__: null, type: ['hello'] },
      null,
      7,
    ])
    const frame = Buffer.from(JSON.stringify(other))
    switch (random.below(6)) {
      case 0:
        return { bytes: messages.framed(right), end: 'answered', check: answered }
      case 1: // Of a type that comes with a later version.
        return {
          bytes: Buffer.concat([messages.framed(Buffer.from('{"type":"weather"}')), messages.framed(right)]),
          end: 'answered',
          check: answered,
        }
      case 2:
        return { bytes: messages.framed(random.bytes(1 + random.below(300))), end: 'close', check: nothing }
      case 3:
        return { bytes: Buffer.concat([messages.framed(right), messages.framed(frame)]), end: 'answered', check: readable }
      case 4:
        return { bytes: Buffer.concat([messages.framed(frame), messages.framed(mutate(right, random))]), end: 'close', check: readable }
      default:
        return messages.spoiled(() => right, readable)(random, id)
    }
  }
}

function nothing(answer: Uint8Array): void {
  if (answer.length > 0) throw new Error(`${answer.length} bytes answer what has no answer`)
}

function sameAsSent(answer: Uint8Array, sent: Uint8Array): void {
  if (Buffer.compare(answer, sent) !== 0) throw new Error('a ping gives back what came, and this is something else')
}

function saysWhoItIs(answer: Uint8Array, sent: Uint8Array): void {
  const [only, ...more] = messages.framesOf(answer)
  // Nobody reads what comes, and so much of it ends the stream.
  if (only === undefined && sent.length > MAX_UNREAD_BYTES) return
  if (only === undefined || more.length > 0) throw new Error('whoever asks is told who this is, once')
  if (!Buffer.from(only).includes('footbridge')) throw new Error('the answer does not name this program')
}

/** Nobody could be dialled: an answer that says so, or none. */
function neverReached(answer: Uint8Array): void {
  for (const frame of messages.framesOf(answer)) {
    const response = new Map(readFields(frame)).get(3)
    if (!(response instanceof Uint8Array)) throw new Error('the answer is no DIAL_RESPONSE')
    // OK is 0, which is not written.
    if (Number(new Map(readFields(response)).get(1) ?? 0) === 0) throw new Error('somebody was reached whom nobody can dial')
  }
}

function stopAnswers(allowed: readonly number[]): (answer: Uint8Array) => void {
  return (answer) => {
    for (const { type, status } of messages.framesOf(answer).map(decodeStopMessage))
      if (type !== 'STATUS' || status === undefined || !allowed.includes(status))
        throw new Error(`answered ${String(type)} ${String(status)}`)
  }
}
