/**
 * The bridge's LAN: virtual peers are told by mDNS under each service name in use, with their circuit addresses, and answered for when somebody asks. @libp2p/mdns
 * speaks of its own node alone, so this is a second responder beside it, on the same port.
 *
 * Packets go out a few at a time, and no peer twice in a second under one name, however many machines ask. A peer is told twice when it comes, then every minute, and a
 * goodbye takes it out of caches when it goes.
 * Not here: what the packets hold (mdns-packets.ts), and finding others (discovery/).
 */
import type { MulticastDNS, QueryPacket, ResponseOutgoingPacket } from 'multicast-dns'
import { MAX_MDNS_PEERS, MDNS_ANSWER_EVERY_MS, MDNS_PACKETS_PER_TICK, MDNS_REPEAT_MS, MDNS_TICK_MS } from '../limits.ts'
import type { Carried } from './announcement.ts'
import { describePeer, goodbyePacket, presentPacket, type MdnsPeer } from './mdns-packets.ts'
import type { Place } from './place.ts'

/** How long goodbyes may take to leave. */
const GOODBYE_MS = 500

export type MdnsSocket = Pick<MulticastDNS, 'respond' | 'destroy' | 'on'>

export interface MdnsPlace extends Place {
  announce(carried: Carried): 'announced' | 'full'
  withdraw(peer: string): void
  /** Idempotent, as is stop. */
  start(): void
  /** Who is still told of is taken out first. */
  stop(): Promise<void>
}

export interface MdnsPlaceDependencies {
  /** Service names such as `_p2p._udp.local`; none: nothing is opened. */
  readonly tags: () => readonly string[]
  readonly open: () => MdnsSocket
  /** A name of no meaning for a peer: at most 63 letters and digits. */
  readonly randomName: () => string
  /** Milliseconds that never go back. */
  readonly now: () => number
  readonly onError: (error: unknown) => void
  readonly maxPeers?: number
}

export function createMdnsPlace(dependencies: MdnsPlaceDependencies): MdnsPlace {
  const { tags, open, randomName, now, onError, maxPeers = MAX_MDNS_PEERS } = dependencies
  const peers = new Map<string, MdnsPeer>()
  /** What is to be said, each once: the place of a peer under a name. */
  const queue = new Map<string, { readonly peer: string; readonly tag: string }>()
  /** When each name was answered last, and the answer that waits for its second to be over. */
  const answered = new Map<string, { at: number; timer: NodeJS.Timeout | undefined }>()
  /** Packets on their way out; a socket that is closed loses them. */
  const sending = new Set<Promise<void>>()
  let socket: MdnsSocket | undefined
  let failure: unknown
  let repeat: NodeJS.Timeout | undefined
  let ticking: NodeJS.Timeout | undefined

  const send = (packet: ResponseOutgoingPacket): void => {
    if (socket === undefined) return
    const { promise, resolve } = Promise.withResolvers<void>()
    sending.add(promise)
    socket.respond(packet, (error) => {
      sending.delete(promise)
      resolve()
      if (error !== null && error !== undefined) onError(error)
    })
  }

  const say = (peer: string, tag: string): void => {
    queue.set(`${tag} ${peer}`, { peer, tag })
    ticking ??= setTimeout(tick, 0)
  }

  const tick = (): void => {
    for (const [key, { peer, tag }] of queue.entries().take(MDNS_PACKETS_PER_TICK)) {
      queue.delete(key)
      const present = peers.get(peer)
      if (present !== undefined) send(presentPacket(present, tag))
    }
    ticking = queue.size > 0 ? setTimeout(tick, MDNS_TICK_MS) : undefined
  }

  const sayAll = (tag: string): void => {
    for (const peer of peers.keys()) say(peer, tag)
  }

  const answer = (tag: string): void => {
    const last = answered.get(tag) ?? { at: -Infinity, timer: undefined }
    answered.set(tag, last)
    if (last.timer !== undefined) return
    const waitMs = Math.max(0, last.at + MDNS_ANSWER_EVERY_MS - now())
    const reply = (): void => {
      last.timer = undefined
      last.at = now()
      sayAll(tag)
    }
    if (waitMs === 0) reply()
    else last.timer = setTimeout(reply, waitMs)
  }

  const onQuery = ({ questions = [] }: Pick<QueryPacket, 'questions'>): void => {
    for (const tag of tags()) if (questions.some((question) => isFor(question, tag))) answer(tag)
  }

  return {
    name: 'mdns',
    names: tags,
    announce(carried) {
      if (failure !== undefined) throw failure
      if (socket === undefined) throw new Error('mDNS does not run')
      const known = peers.get(carried.peer)
      if (known === undefined && peers.size >= maxPeers) return 'full'
      // A new name for new addresses: readers add what they hear under an old one to what they have.
      if (known !== undefined) for (const tag of tags()) send(goodbyePacket(known, tag))
      const described = describePeer(carried, randomName())
      if (described === undefined) throw new Error('no address of this peer is short enough for mDNS')
      peers.set(carried.peer, described)
      for (const tag of tags()) say(carried.peer, tag)
      const again = setTimeout(() => {
        if (peers.get(carried.peer) === described) for (const tag of tags()) say(carried.peer, tag)
      }, MDNS_ANSWER_EVERY_MS)
      again.unref()
      return 'announced'
    },
    withdraw(peer) {
      const known = peers.get(peer)
      peers.delete(peer)
      if (known !== undefined) for (const tag of tags()) send(goodbyePacket(known, tag))
    },
    start() {
      if (socket !== undefined || tags().length === 0) return
      socket = open()
      socket.on('query', onQuery)
      socket.on('error', (error: Error) => {
        failure = error
        onError(error)
      })
      // An interface without multicast: the others do.
      socket.on('warning', () => undefined)
      repeat = setInterval(() => tags().forEach(sayAll), MDNS_REPEAT_MS).unref()
    },
    async stop() {
      const closing = socket
      if (closing === undefined) return
      clearInterval(repeat)
      clearTimeout(ticking)
      for (const { timer } of answered.values()) clearTimeout(timer)
      for (const [peer, known] of peers) {
        peers.delete(peer)
        for (const tag of tags()) send(goodbyePacket(known, tag))
      }
      socket = undefined
      failure = undefined
      ticking = undefined
      queue.clear()
      answered.clear()
      await Promise.race([Promise.all(sending), new Promise((resolve) => setTimeout(resolve, GOODBYE_MS).unref())])
      await new Promise<void>((resolve) => closing.destroy(resolve))
    },
  }
}

function isFor({ name, type }: { readonly name: string; readonly type?: string | undefined }, tag: string): boolean {
  return (type === 'PTR' || type === 'ANY') && name.toLowerCase() === tag.toLowerCase()
}
