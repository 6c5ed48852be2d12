/**
 * The half of the rooms that gossips, loaded with the first joined room and ended with the last: topics follow what is joined, what is heard is kept, what
 * waits is said as soon as somebody is there. Not here: gossipsub itself (node/gossip.ts), what is kept (rooms.ts), files (files.ts).
 */
import type { GossipSubComponents, GossipsubMessage, SubscriptionChangeData } from '@libp2p/gossipsub'
import type { Connection, Libp2p } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { ANNOUNCE_EVERY_MS, decodePeerRecord, encodePeerRecord } from '@footbridge/protocols/uc-discovery/peer-record'
import { withDeadline } from '@footbridge/protocols/deadline'
import { decodeFileId, MAX_FILE_STREAMS_PER_CONNECTION, UC_FILE_PROTOCOL } from '@footbridge/protocols/uc-file/file-exchange'
import { utf8Decode, utf8Encode } from '@footbridge/shared/text-codec'
import type { FileOffer } from '../api.ts'
import type { Kept } from '../kept.ts'
import { createGossip } from '../node/gossip.ts'
import { createRoomFiles } from './files.ts'
import { createFound } from './found.ts'
import * as limits from './limits.ts'
import { createNeighbours } from './neighbours.ts'
import { createPace } from './pace.ts'
import { filesTopic } from './room-names.ts'
import type { RoomBody, RoomMessage } from './room.ts'

/** How often it is written down that the room is being heard: an absence begins at most this much too early. */
const HEARD_EVERY_MS = 15_000
/** Records of peers that are read in a second from all senders, and from one, who tells of itself every ten seconds: none of them crowds out the others. */
const RECORDS_PER_SECOND = 20
const RECORDS_PER_SENDER_AND_SECOND = 1
const RECORD_BURST = 10

export interface LiveRoomsParts {
  readonly kept: Pick<Kept, 'rooms' | 'connection' | 'log' | 'people' | 'transfers' | 'now' | 'steady'>
  readonly libp2p: Pick<Libp2p, 'handle' | 'unhandle' | 'peerId'>
  readonly components: GossipSubComponents
  readonly connect: (peer: string, signal: AbortSignal) => Promise<Connection>
  readonly importFile: (room: string, file: File) => Promise<FileOffer>
  /** Not a person, so not a member. */
  readonly bridgePeer: () => string | undefined
  /** Where this device can be dialled, to be told on the discovery topic; none: nothing is told. */
  readonly ownAddresses: () => readonly string[]
  readonly bridgeUrl: string
  readonly fetch: typeof fetch
  /** For the bridge's HTTP; undefined while there is no session. */
  readonly accessToken: () => string | undefined
}

export interface RunningRooms {
  /** Where a peer that was found says that it can be dialled. */
  addresses(peer: string): readonly string[]
  /** Idempotent. */
  stop(): Promise<void>
}

interface Topic {
  readonly room: string
  readonly kind: 'chat' | 'files'
}

export async function openLiveRooms(parts: LiveRoomsParts): Promise<RunningRooms> {
  const { kept, libp2p, components } = parts
  const { rooms, log, people, now, steady } = kept
  const own = libp2p.peerId.toString()
  const stopping = new AbortController()
  const gossip = createGossip(components)
  const { pubsub } = gossip
  /** By the discovery topic, which anybody writes; and by the bridge, which has met them. */
  const found = createFound(now)
  const nearby = createFound(now)
  const neighbours = createNeighbours({ ...parts, steady, signal: stopping.signal })
  const files = createRoomFiles({ ...parts, rooms, transfers: kept.transfers, steady, signal: stopping.signal })
  const keepPace = createPace(limits.KEPT_PER_SENDER_AND_SECOND, limits.KEPT_BURST, limits.MAX_SENDERS, steady)
  const recordPace = createPace(RECORDS_PER_SECOND, RECORDS_PER_SECOND, 1, steady)
  const tellerPace = createPace(RECORDS_PER_SENDER_AND_SECOND, RECORD_BURST, limits.MAX_SENDERS, steady)
  const ownPace = createPace(limits.PUBLISH_PER_SECOND, limits.PUBLISH_BURST, 1, steady)
  const warnPace = createPace(1 / 60, 1, limits.MAX_SENDERS, steady)
  const heardAt = new Map<string, number>()
  /** By the bridge's last answer. */
  const heardOf = new Map<string, readonly string[]>()
  const pumping = new Set<string>()
  /** Where something waits although somebody seemed to be there: looked at again. */
  const unsaid = new Set<string>()
  const again = new Set<string>()
  let topics = new Map<string, Topic>()
  let storing = 0

  const isBridge = (peer: string): boolean => peer === parts.bridgePeer()

  /** Topics follow what is joined. */
  const follow = (): void => {
    const joined = rooms.joined.get()
    const names = rooms.topics.get()
    topics = new Map(
      joined.flatMap((room): [string, Topic][] => [
        [room, { room, kind: 'chat' }],
        [filesTopic(room, names), { room, kind: 'files' }],
      ]),
    )
    const wanted = new Set([...topics.keys(), ...(joined.length > 0 ? [names.discovery] : [])])
    const present = new Set(pubsub.getTopics())
    for (const topic of present) if (!wanted.has(topic)) pubsub.unsubscribe(topic)
    for (const topic of wanted) if (!present.has(topic)) pubsub.subscribe(topic)
    for (const room of new Set([...heardAt.keys(), ...heardOf.keys(), ...unsaid])) if (!joined.includes(room)) forget(room)
    look()
  }

  const forget = (room: string): void => {
    heardAt.delete(room)
    heardOf.delete(room)
    unsaid.delete(room)
    neighbours.forget(room)
  }

  /** Who is there to hear from, room by room. */
  const look = (): void => {
    if (stopping.signal.aborted) return
    for (const room of rooms.joined.get()) {
      const neighbours = pubsub.getSubscribers(room).map(String)
      for (const peer of neighbours) if (!isBridge(peer)) rooms.seen(room, peer)
      if (neighbours.length === 0) {
        rooms.setState(room, kept.connection.get().state === 'online' ? 'alone' : 'away')
        heardAt.delete(room)
        continue
      }
      rooms.setState(room, 'here')
      if (unsaid.delete(room)) kick(room)
      void natives(room, false)
      const before = heardAt.get(room)
      if (before !== undefined && steady() - before < HEARD_EVERY_MS) continue
      heardAt.set(room, steady())
      const written = before === undefined ? rooms.cameBack(room) : rooms.heard(room)
      written.then(() => before === undefined && kick(room)).catch(() => undefined)
    }
  }

  /** Native peers that the bridge hears there; they are members, and can be dialled. */
  const natives = async (room: string, isUrgent: boolean): Promise<readonly string[]> => {
    const found = await neighbours.of(room, isUrgent)
    if (!rooms.joined.get().includes(room)) return []
    for (const { peer, addresses } of found) {
      nearby.put(peer, addresses, true)
      rooms.seen(room, peer)
    }
    const peers = found.map(({ peer }) => peer)
    for (const peer of heardOf.get(room) ?? []) if (!peers.includes(peer)) rooms.left(room, peer)
    heardOf.set(room, peers)
    return peers
  }

  /** Whoever fetches only over a connection that is there: it must be there when they hear of the file. Never throws, and does not wait for long. */
  const meet = async (room: string): Promise<void> => {
    const enough = AbortSignal.any([stopping.signal, AbortSignal.timeout(limits.MEET_MS)])
    const peers = (await natives(room, true)).slice(0, limits.MAX_MET)
    await Promise.allSettled(
      peers.map((peer) => withDeadline({ timeoutMs: limits.MEET_MS, what: 'meeting', signal: enough }, () => parts.connect(peer, enough))),
    )
  }

  const warn = (peer: string, text: string): void => {
    if (warnPace.take(peer) === 0) log.warn(text)
  }

  const keep = async (message: RoomMessage): Promise<void> => {
    if (keepPace.take(message.from) > 0 || storing >= limits.MAX_STORING)
      return warn(message.from, `${people.nameOf(message.from)} writes more in ${message.room} than this device keeps`)
    storing++
    try {
      await rooms.received(message)
    } catch {
      warn(message.from, `A message in ${message.room} could not be kept on this device`)
    } finally {
      storing--
    }
  }

  const bodyOf = (kind: Topic['kind'], from: string, data: Uint8Array): RoomBody | undefined => {
    if (kind === 'files') {
      const id = decodeFileId(data)
      return { kind: 'file', file: { id, transfer: `room-file ${from} ${id}`, offer: undefined } }
    }
    const text = data.length > limits.MAX_SHOWN_BYTES ? '' : utf8Decode(data)
    return text.trim() === '' ? undefined : { kind: 'text', text }
  }

  const onMessage = ({ detail: { msg, msgId } }: CustomEvent<GossipsubMessage>): void => {
    if (msg.type !== 'signed') return
    const from = msg.from.toString()
    if (msg.topic === rooms.topics.get().discovery) return discover(from, msg.data)
    const topic = topics.get(msg.topic)
    if (topic === undefined || from === own) return
    try {
      const body = bodyOf(topic.kind, from, msg.data)
      if (body === undefined) return warn(from, `${people.nameOf(from)} sent something in ${topic.room} that cannot be shown`)
      void keep({ id: msgId, room: topic.room, from, own: false, at: now(), body, status: 'sent' })
    } catch {
      warn(from, `${people.nameOf(from)} sent something in ${topic.room} that is not text`)
    }
  }

  /** The record is not signed, the message is: where a peer says that it is counts, and what others say of it only until then. */
  const discover = (from: string, data: Uint8Array): void => {
    if (tellerPace.take(from) > 0 || recordPace.take('') > 0) return
    try {
      const { peer, addresses } = decodePeerRecord(data)
      const id = peer.toString()
      if (id === own || isBridge(id)) return
      found.put(id, addresses.map(String), from === id)
      // Only the message is signed: whom others name need not be there.
      if (from === id) rooms.seen(rooms.topics.get().chat, id)
    } catch {
      // Whatever else is said on that topic is nobody's business here.
    }
  }

  const announce = (): void => {
    const addresses = parts.ownAddresses()
    const { discovery } = rooms.topics.get()
    if (addresses.length === 0 || pubsub.getSubscribers(discovery).length === 0) return
    const record = encodePeerRecord(
      components.privateKey.publicKey,
      addresses.map((address) => multiaddr(address)),
    )
    pubsub.publish(discovery, record).catch(() => undefined)
  }

  const onSubscriptions = ({ detail: { peerId, subscriptions } }: CustomEvent<SubscriptionChangeData>): void => {
    const peer = peerId.toString()
    for (const { topic, subscribe } of subscriptions) {
      const room = topics.get(topic)
      if (room?.kind === 'chat' && !subscribe) rooms.left(room.room, peer)
      if (room !== undefined && subscribe) kick(room.room)
    }
    look()
  }

  /** @returns whether somebody took it */
  const publish = async ({ room, body }: RoomMessage): Promise<boolean> => {
    if (body.kind === 'gap') return true
    const topic = body.kind === 'file' ? filesTopic(room, rooms.topics.get()) : room
    const data = utf8Encode(body.kind === 'file' ? body.file.id : body.text)
    if (pubsub.getSubscribers(topic).length === 0) return false
    if (body.kind === 'file') await meet(room)
    const { recipients } = await pubsub.publish(topic, data)
    return recipients.length > 0
  }

  /** In order, at a person's pace; what nobody takes stays and waits for the next kick. */
  const pump = async (room: string): Promise<void> => {
    for (const message of await rooms.waiting(room)) {
      for (let ms = ownPace.take(''); ms > 0; ms = ownPace.take('')) await pause(ms, stopping.signal)
      if (stopping.signal.aborted) return
      if (!(await publish(message))) return void unsaid.add(room)
      await rooms.change(room, message.id, { status: 'sent' })
    }
  }

  function kick(room: string): void {
    if (pumping.has(room)) {
      again.add(room)
      return
    }
    pumping.add(room)
    pump(room)
      .catch(() => unsaid.add(room))
      .finally(() => {
        pumping.delete(room)
        if (again.delete(room) && !stopping.signal.aborted) kick(room)
      })
  }

  pubsub.addEventListener('gossipsub:message', onMessage)
  pubsub.addEventListener('subscription-change', onSubscriptions)
  pubsub.addEventListener('gossipsub:heartbeat', look)
  await libp2p.handle(UC_FILE_PROTOCOL, (stream) => files.serve(stream), {
    runOnLimitedConnection: true,
    maxInboundStreams: MAX_FILE_STREAMS_PER_CONNECTION,
  })
  await gossip.start()
  const timer = setInterval(announce, ANNOUNCE_EVERY_MS)
  rooms.attach({ kick, fetch: (message) => files.fetch(message) })
  const ends = [rooms.joined.subscribe(follow), rooms.topics.subscribe(follow)]
  let stopped: Promise<void> | undefined

  const stop = async (): Promise<void> => {
    stopping.abort()
    clearInterval(timer)
    for (const end of ends) end()
    rooms.attach(undefined)
    pubsub.removeEventListener('gossipsub:message', onMessage)
    pubsub.removeEventListener('subscription-change', onSubscriptions)
    pubsub.removeEventListener('gossipsub:heartbeat', look)
    await Promise.all([...heardAt.keys()].map((room) => rooms.heard(room).catch(() => undefined)))
    await libp2p.unhandle(UC_FILE_PROTOCOL).catch(() => undefined)
    await gossip.stop()
  }

  return {
    addresses: (peer) => [...nearby.addresses(peer), ...found.addresses(peer)],
    stop: () => (stopped ??= stop()),
  }
}

/** Ends early, without an error, when it is called off. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  const end = (): void => resolve()
  signal.addEventListener('abort', end, { once: true })
  return promise.finally(() => {
    clearTimeout(timer)
    signal.removeEventListener('abort', end)
  })
}
